import { RequestError } from '@bindcast/client';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { formatBytes, formatCount, formatDuration, formatValue } from '../../format.ts';
import { list, number, values, type Values } from '../../model.ts';
import { Figure, StateWord, Table } from '../../parts.tsx';
import { client, mayAdminister, onEvents, state, welcome } from '../../session.ts';
import { Configuration } from './configuration.tsx';
import { Channels, Delivery, Losses, Queues } from './queues.tsx';

const EVERY_MS = 5000;

/** The plugin itself: who is connected, what waits, what was lost, what batches and compression save, how it is configured. */
export function Server() {
  const statistics = useSignal<Values>({});
  const connections = useSignal<Values[] | undefined>(undefined);
  const configuration = useSignal<Values | undefined>(undefined);
  const fault = useSignal('');
  useEffect(() => {
    if (state.value.name !== 'live') return;
    let over = false;
    // Sets what was answered. An answer that does not come is no refusal: the connection will be made again.
    const ask = async (type: string, data: Values, take: (answer: Values) => void) => {
      try {
        const answer = (await client.request(type, data)).data ?? {};
        if (!over) take(answer);
      } catch (why) {
        if (why instanceof RequestError && !over) fault.value = why.message;
      }
    };
    const look = async () => {
      await ask('get_statistics', { channels: true }, (answer) => {
        statistics.value = answer;
        fault.value = '';
      });
      if (mayAdminister.peek())
        await ask('get_connections', {}, (answer) => (connections.value = list(answer['connections'])));
    };
    const readConfiguration = async () => {
      if (mayAdminister.peek()) await ask('get_configuration', {}, (answer) => (configuration.value = answer));
    };
    void look().then(readConfiguration);
    const timer = setInterval(() => void look(), EVERY_MS);
    const end = onEvents((events) => {
      if (events.some((event) => event.type === 'config_change')) void readConfiguration();
    });
    return () => {
      over = true;
      clearInterval(timer);
      end();
    };
  }, [state.value.name]);

  const of = values(statistics.value['server']), connection = values(statistics.value['connection']);
  const journal = values(of['journal']);
  return (
    <section class="page">
      {fault.value && (
        <p role="alert" class="fault">
          {fault.value}
        </p>
      )}
      <dl class="figures six">
        <Figure title="Bindcast" note={`on ${formatValue(of['host'])}, up ${formatDuration(number(of['uptime_seconds']))}`}>
          {formatValue(of['version'])}
        </Figure>
        <Figure title="Events" note={`${number(of['events_per_second']).toFixed(1)} a second`}>
          {formatCount(number(of['events_emitted']))}
        </Figure>
        <Figure
          title="Connections"
          note={`${formatCount(number(of['channels']))} channels, ${formatCount(number(of['connections_turned_away']))} turned away`}
        >
          {formatCount(number(of['connections']))}
        </Figure>
        <Figure title="Held for clients" note="what they share is counted once">
          {formatBytes(number(of['held_bytes']))}
        </Figure>
        <Figure title="Journal" note={`${formatBytes(number(journal['size_bytes']))} ${formatValue(journal['reason'])}`}>
          <StateWord state={formatValue(journal['state'])} />
        </Figure>
        <Figure title="Faults" note="work that ended for want of memory">
          {formatCount(number(of['faults']))}
        </Figure>
      </dl>
      {!mayAdminister.value && (
        <p role="note" class="card">
          Left out: the connections and queues of others, the channels, and the configuration. They are for roles that may
          administer, and yours ({welcome.value?.roles.join(', ')}) may not.
        </p>
      )}
      {(!mayAdminister.value || connections.value) && (
        <Queues connections={mayAdminister.value ? connections.value : undefined} own={connection} />
      )}
      <div class="grid">
        <Losses dropped={values(of['events_dropped'])} />
        <Delivery of={of} />
        <Table
          caption="Listeners"
          head={['Address', 'State']}
          rows={[
            ...[of['listeners'] ?? []].flat().map((address) => [formatValue(address), <StateWord state="up" />]),
            ...list(of['listeners_failing']).map((one) => [formatValue(one['address']),
              <span class="bad">{formatValue(one['fault'])}</span>]),
          ]}
          empty="Not known yet."
        />
      </div>
      {Array.isArray(statistics.value['channels']) && <Channels channels={list(statistics.value['channels'])} />}
      {mayAdminister.value && configuration.value && <Configuration of={configuration.value} />}
      <details>
        <summary>The whole status</summary>
        <Table
          caption="Status"
          head={['Member', 'Value']}
          rows={flat(of).map(([path, value]) => [path, formatValue(value)])}
          empty="Not known yet."
        />
      </details>
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
