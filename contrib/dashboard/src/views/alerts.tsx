import type { BindcastEvent } from '@bindcast/client';
import { useSignal } from '@preact/signals';
import { Details } from '../details.tsx';
import { findingText } from '../finding.tsx';
import { formatCount, formatDuration, formatValue } from '../format.ts';
import { Latest, useLatest, useNow } from '../hooks.ts';
import { acknowledge, ALERT_NEWS, alerts, ladder, number, openAlerts, type Alert, type Step } from '../model.ts';
import { Moment, More, StateWord, Table } from '../parts.tsx';
import { mayAcknowledge } from '../session.ts';

const kept = new Latest(ALERT_NEWS);

/** What waits for somebody, the most pressing and oldest first, and how far each has climbed. */
export function Alerts() {
  const now = useNow();
  const news = useLatest(kept);
  const opened = useSignal<BindcastEvent | undefined>(undefined);
  const waiting = alerts.value;
  const over = news.filter((event) => event.type === 'notification_acknowledged');
  return (
    <section class="split">
      <div class="page">
        <h2>Waiting for somebody: {formatCount(openAlerts.value)}</h2>
        {waiting.length === 0 && <p class="empty">Nothing waits. What is critical or urgent appears here.</p>}
        <ul class="alerts">
          {waiting.map((alert) => (
            <Waiting key={alert.id} alert={alert} now={now} news={news} open={() => (opened.value = alert.event)} />
          ))}
        </ul>
        <More than={waiting.length} of={openAlerts.value} what="less pressing ones" />
        <Table
          caption="Acknowledged or recovered"
          head={['When', 'What', 'By', 'Note', 'Was open', 'Times']}
          numbers={[4, 5]}
          rows={over.slice(0, 50).map(({ timestamp, data }) => [<Moment at={timestamp} />, formatValue(data['event_type']),
            data['resolved_by'] === undefined ? formatValue(data['by']) : 'nobody: it recovered', formatValue(data['note']),
            formatDuration(number(data['open_for_seconds'])), formatCount(number(data['occurrences']))])}
          empty="Nothing was acknowledged or has recovered yet."
        />
      </div>
      {opened.value && <Details event={opened.value} close={() => (opened.value = undefined)} />}
    </section>
  );
}

interface WaitingProps {
  alert: Alert;
  now: number;
  news: readonly BindcastEvent[];
  open: () => void;
}

function Waiting({ alert, now, news, open }: WaitingProps) {
  const { event } = alert;
  const attempt = event.metadata?.attempt;
  return (
    <li class={`card ${event.priority}`}>
      <header>
        <StateWord state={event.priority} />
        <button type="button" class="plain" onClick={open}>
          {event.type}
        </button>
        <strong>{summary(event)}</strong>
      </header>
      <p class="faint">
        open for {formatDuration((now - alert.openSince) / 1000)}
        {alert.occurrences > 1 && `, ${formatCount(alert.occurrences)} times`}
        {attempt !== undefined && `, asked ${formatCount(attempt)} times`}, last at <Moment at={event.timestamp} />
        {alert.givenUp && ', and nobody is asked any more'}
      </p>
      <ol class="steps" aria-label="Escalation">
        {ladder.value.map((step, at) => (
          <Climbed key={at} alert={alert} step={step} number={at + 1} now={now} news={news} />
        ))}
      </ol>
      {mayAcknowledge.value && <Acknowledge alert={alert} />}
    </li>
  );
}

interface ClimbedProps {
  alert: Alert;
  step: Step;
  number: number;
  now: number;
  news: readonly BindcastEvent[];
}

/** One step of the ladder: who is told, and whether he was. */
function Climbed({ alert, step, number: place, now, news }: ClimbedProps) {
  const taken = alert.steps.includes(place);
  const isNext = !taken && ladder.value.every((_, at) => at + 1 >= place || alert.steps.includes(at + 1));
  const left = (alert.openSince - now) / 1000 + step.afterSeconds;
  const told = news.find(({ type, data }) =>
    type === 'notification_sent' && data['alert'] === alert.id && data['step'] === place)?.data['clients'];
  const what = [
    step.roles.length > 0 && step.roles.join(', '),
    step.repeat && 'everybody again',
    step.priority !== '' && `as ${step.priority}`,
    step.webhook && 'webhook',
  ].filter(Boolean).join(', ');
  return (
    <li class={taken ? 'taken' : isNext ? 'next' : ''}>
      <span class="faint">{step.afterSeconds === 0 ? 'at once' : `after ${formatDuration(step.afterSeconds)}`}</span> {what}{' '}
      {taken && number(told) > 0 && (
        <span class="faint">sent to {number(told) === 1 ? '1 client' : `${formatCount(number(told))} clients`}</span>
      )}
      {/* At once it is sent to those only who do not subscribe to it and have it already. */}
      {taken && told === 0 && step.afterSeconds > 0 && !step.webhook && <span class="warn">nobody of them was there</span>}
      {taken && step.webhook && <Posted id={`${alert.id}.${place}`} news={news} />}
      {isNext && <strong>{left > 0 ? `in ${formatDuration(left)}` : 'now'}</strong>}
    </li>
  );
}

/** What became of a webhook's post: only admins are told. */
function Posted({ id, news }: { id: string; news: readonly BindcastEvent[] }) {
  const last = news.find(({ type, data }) => type === 'webhook_triggered' && data['id'] === id)?.data;
  if (last === undefined) return <span class="faint">posted</span>;
  if (last['delivered'] === true) return <StateWord state="delivered" />;
  return (
    <span>
      <StateWord state="failed" />: {formatValue(last['fault'] ?? last['status'])}
      {number(last['attempt']) > 0 && `, attempt ${formatCount(number(last['attempt']))}`}
      {last['final'] === true ? ', the last one' : ', will be tried again'}
    </span>
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
      <button type="submit" class="primary">
        Acknowledge
      </button>
      {fault.value && (
        <p role="alert" class="fault">
          {fault.value}
        </p>
      )}
    </form>
  );
}

const TELLING = ['detector', 'reason', 'message', 'qname', 'zone', 'policy_zone', 'component', 'domain', 'client', 'rule', 'why'];

function summary({ data }: BindcastEvent): string {
  const said = TELLING.filter((key) => data[key] !== undefined).map((key) => formatValue(data[key])).slice(0, 3);
  if (data['detector'] !== undefined && data['state'] !== 'ended') said.push(findingText(data));
  return said.join(' · ');
}
