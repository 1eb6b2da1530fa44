import { useSignal } from '@preact/signals';
import { formatCount, formatDuration, formatTime, formatValue } from '../format.ts';
import { acknowledge, alerts, ended, number, type Alert } from '../model.ts';
import { Table } from '../parts.tsx';
import { mayAcknowledge } from '../session.ts';
import { Details } from './live/details.tsx';

/** What waits for somebody, the latest first. */
export function Alerts() {
  const opened = useSignal<Alert | undefined>(undefined);
  const waiting = [...alerts.value.values()].reverse();
  return (
    <section class="split">
      <div class="page">
        <h2>Waiting for somebody: {formatCount(waiting.length)}</h2>
        {waiting.length === 0 && <p class="faint">Nothing.</p>}
        <ul class="alerts">
          {waiting.slice(0, 200).map((alert) => (
            <li key={alert.key} class={`card ${alert.event.severity}`}>
              <header>
                <button type="button" class="plain" onClick={() => (opened.value = alert)}>
                  {alert.event.type}
                </button>{' '}
                <span>{summary(alert)}</span>
              </header>
              <p class="faint">
                since {formatTime(alert.since)}, {alert.occurrences === 1 ? 'once' : `${formatCount(alert.occurrences)} times`}, {alert.event.priority}
                {alert.event.metadata?.attempt !== undefined && `, sent ${alert.event.metadata.attempt} times`}
                {alert.step && `, escalation step ${formatValue(alert.step.data['step'])}`}
              </p>
              {mayAcknowledge.value && <Acknowledge alert={alert} />}
            </li>
          ))}
        </ul>
        <Table
          caption="Acknowledged since this page was opened"
          head={['What', 'By', 'Note', 'Was open']}
          rows={ended.value.map((one) => [formatValue(one['event_type']), formatValue(one['by']),
            formatValue(one['note']),
            one['open_for_seconds'] === undefined ? '' : formatDuration(number(one['open_for_seconds']))])}
          empty="Nothing."
        />
      </div>
      {opened.value && <Details event={opened.value.event} close={() => (opened.value = undefined)} />}
    </section>
  );
}

function Acknowledge({ alert }: { alert: Alert }) {
  const fault = useSignal('');
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const note = String(new FormData(event.currentTarget as HTMLFormElement).get('note') ?? '');
    try {
      await acknowledge(alert, note);
    } catch (refusal) {
      fault.value = (refusal as Error).message;
    }
  };
  return (
    <form class="acknowledge" onSubmit={submit}>
      <input name="note" maxLength={300} placeholder="Note" aria-label={`Note on ${alert.event.type}`} />
      <button type="submit">Acknowledge</button>
      {fault.value && (
        <p role="alert" class="fault">
          {fault.value}
        </p>
      )}
    </form>
  );
}

function summary(alert: Alert): string {
  const data = alert.event.data;
  return ['reason', 'message', 'qname', 'zone', 'component', 'domain', 'client', 'rule', 'why']
    .filter((key) => data[key] !== undefined)
    .map((key) => formatValue(data[key]))
    .slice(0, 3)
    .join(' · ');
}
