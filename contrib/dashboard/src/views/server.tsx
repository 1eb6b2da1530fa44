import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { formatBytes, formatCount, formatDuration, formatValue } from '../format.ts';
import { list, number, values, type Values } from '../model.ts';
import { Figure, StateWord, Table } from '../parts.tsx';
import { client, state } from '../session.ts';

const EVERY_MS = 5000;

/** The plugin itself: who is connected, what waits, what was lost, what batches and compression save. */
export function Server() {
  const status = useSignal<Values>({});
  const connections = useSignal<Values[] | undefined>(undefined);
  const fault = useSignal('');
  useEffect(() => {
    let refused = false; // connections are for admins
    const look = async () => {
      if (state.peek().name !== 'live') return;
      try {
        status.value = (await client.request('get_status')).data ?? {};
        fault.value = '';
        if (!refused)
          connections.value = list((await client.request('get_connections')).data?.['connections']);
      } catch (refusal) {
        if (Object.keys(status.peek()).length === 0) fault.value = (refusal as Error).message;
        refused = true;
      }
    };
    void look();
    const timer = setInterval(() => void look(), EVERY_MS);
    return () => clearInterval(timer);
  }, [state.value.name]);

  const of = status.value;
  const delivery = values(of['delivery']), lag = values(delivery['lag_us']), journal = values(of['journal']);
  const lost = Object.entries(values(of['events_dropped'])).filter(([, count]) => number(count) > 0);
  return (
    <section class="page">
      {fault.value && (
        <p role="alert" class="fault">
          {fault.value}
        </p>
      )}
      <dl class="figures">
        <Figure title="Bindcast" note={`on ${formatValue(of['host'])}, up ${formatDuration(number(of['uptime_seconds']))}`}>
          {formatValue(of['version'])}
        </Figure>
        <Figure title="Events" note={`${number(of['events_per_second']).toFixed(1)} a second`}>
          {formatCount(number(of['events_emitted']))}
        </Figure>
        <Figure title="Connections" note={`${formatCount(number(of['connections_turned_away']))} turned away`}>
          {formatCount(number(of['connections']))}
        </Figure>
        <Figure title="Channels" note="of clients that share one stream">
          {formatCount(number(of['channels']))}
        </Figure>
        <Figure title="Waiting for clients">{formatBytes(number(of['held_bytes']))}</Figure>
        <Figure title="Lost" note={lost.map(([reason, count]) => `${reason}: ${formatCount(number(count))}`).join(', ')}>
          {formatCount(lost.reduce((sum, [, count]) => sum + number(count), 0))}
        </Figure>
        <Figure title="Sent" note={`${formatCount(number(delivery['frames']))} messages`}>
          {formatBytes(number(delivery['bytes']))}
        </Figure>
        <Figure title="Saved by compression" note={`to ${(number(delivery['compression_ratio']) * 100).toFixed(0)} %`}>
          {formatBytes(number(delivery['bytes_saved']))}
        </Figure>
        <Figure title="Events in a batch">{number(delivery['average_batch_size']).toFixed(1)}</Figure>
        <Figure title="Lag" note={`99 % below ${(number(lag['p99']) / 1000).toFixed(1)} ms`}>
          {(number(lag['p50']) / 1000).toFixed(1)} ms
        </Figure>
        <Figure title="Journal" note={`${formatBytes(number(journal['size_bytes']))} ${formatValue(journal['reason'])}`}>
          <StateWord state={formatValue(journal['state'])} />
        </Figure>
        <Figure title="Faults" note="work that ended for want of memory">
          {formatCount(number(of['faults']))}
        </Figure>
      </dl>
      {connections.value && (
        <Table
          caption="Connections"
          head={['User', 'Roles', 'From', 'Known by', 'Form', 'For']}
          rows={connections.value.map((one) => [formatValue(one['user']), [one['roles']].flat().map(formatValue).join(', '),
            formatValue(one['client']), formatValue(one['known_by']), formatValue(one['subprotocol']),
            formatDuration(number(one['connected_seconds']))])}
          empty="Nobody."
        />
      )}
      <Table
        caption="Status"
        head={['Member', 'Value']}
        rows={flat(of).map(([path, value]) => [path, formatValue(value)])}
        empty="Not known yet."
      />
    </section>
  );
}

function flat(of: Values, path = ''): [string, unknown][] {
  return Object.entries(of).flatMap(([key, value]): [string, unknown][] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? flat(value as Values, `${path}${key}.`)
      : [[path + key, value]],
  );
}
