// What waits for clients, what they lost, and what batches and compression make of the rest.
import { formatBytes, formatCount, formatDuration, formatValue } from '../../format.ts';
import { number, values, type Values } from '../../model.ts';
import { Table } from '../../parts.tsx';

/** Of everybody, or, where others are not to be seen, of this page's own connection. */
export function Queues({ connections, own }: { connections: Values[] | undefined; own: Values }) {
  const head = ['Waiting', 'Keeps up', 'Delivered', 'Lost', 'Batches', 'Compressed to'];
  if (connections === undefined)
    return (
      <Table
        caption="The queue of this page"
        head={head}
        rows={Object.keys(own).length === 0 ? [] : [queueCells(ownQueue(own))]}
        empty="Not known yet."
      />
    );
  return (
    <Table
      caption="Connections and their queues"
      head={['User', 'Roles', 'From', 'Known by', 'Form', 'For', ...head]}
      rows={connections.map((one) => [formatValue(one['user']), [one['roles'] ?? []].flat().map(formatValue).join(', '),
        formatValue(one['client']), formatValue(one['known_by']), formatValue(one['subprotocol']),
        formatDuration(number(one['connected_seconds'])), ...queueCells(values(one['queue']))])}
      empty="Nobody."
    />
  );
}

const STANDINGS: Record<string, [string, string]> = {
  in_step: ['good', 'yes'], behind: ['warn', 'is behind: like queries are folded'],
  full: ['bad', 'is full: queries are only counted'],
};

function queueCells(queue: Values) {
  const [colour, keepsUp] = STANDINGS[String(queue['standing'])] ?? ['', ''];
  const most = number(queue['most_events']);
  return [
    `${formatCount(number(queue['events']))}${most > 0 ? ` of ${formatCount(most)}` : ''} events` +
      (queue['bytes'] === undefined ? '' : `, ${formatBytes(number(queue['bytes']))}`),
    <span class={colour}>{keepsUp}</span>,
    formatCount(number(queue['delivered'])) +
      (number(queue['folded']) > 0 ? `, and ${formatCount(number(queue['folded']))} folded` : ''),
    counts(values(queue['dropped'])) || 'nothing',
    batchText(queue),
    ratio(queue),
  ];
}

// The server tells of one's own connection in other members than of all.
function ownQueue(own: Values): Values {
  return { ...values(own['delivery']), events: own['events_queued'], delivered: own['events_delivered'],
    folded: own['events_folded'], dropped: own['events_dropped'] };
}

function counts(of: Values): string {
  return Object.entries(of)
    .filter(([, count]) => number(count) > 0)
    .map(([name, count]) => `${name}: ${formatCount(number(count))}`)
    .join(', ');
}

function batchText(delivery: Values): string {
  const batches = number(delivery['batches']);
  return batches === 0 ? 'none' : `${formatCount(batches)}, each of ${number(delivery['average_batch_size']).toFixed(1)} events`;
}

function ratio(delivery: Values): string {
  const share = number(delivery['compression_ratio']);
  return share === 0 ? '' : `${(share * 100).toFixed(0)} %, ${formatBytes(number(delivery['bytes_saved']))} saved`;
}

const REASONS: Record<string, string> = {
  queue_overflow: 'a client did not read fast enough',
  rate_limit: 'rate_limit.events_per_second',
  capture_overflow: 'no room on the way out of named, or no memory',
  sampled: 'a client asked for one in so many, or events.queries.sample',
  retention: 'removed from the journal, or never stored, before it was asked for',
  restart: 'not stored before a process ended',
};

export function Losses({ dropped }: { dropped: Values }) {
  return (
    <Table
      caption="Events that did not come, by reason"
      head={['Reason', 'Events', 'Why']}
      numbers={[1]}
      rows={Object.entries(dropped).map(([reason, count]) => [reason,
        <span class={number(count) > 0 && reason !== 'sampled' ? 'bad' : ''}>{formatCount(number(count))}</span>,
        REASONS[reason] ?? ''])}
      empty="Not known yet."
    />
  );
}

/** Of all clients together, since the start. */
export function Delivery({ of }: { of: Values }) {
  const delivery = values(of['delivery']), lag = values(delivery['lag_us']);
  const rows: [string, string][] = [
    ['Messages', `${formatCount(number(delivery['frames']))}, ${formatBytes(number(delivery['bytes']))}`],
    ['Batches', batchText(delivery)],
    ['Events by themselves', `${formatCount(number(delivery['single_events']))}, of them ${formatCount(number(delivery['bypassed']))} ahead of others`],
    ['Compressed', `${formatCount(number(delivery['compressed_frames']))} messages`],
    ['… to', ratio(delivery)],
    ['Kept for another client', `${formatBytes(number(of['frame_cache_bytes']))}, used ${formatCount(number(of['frame_cache_hits']))} times`],
    ['From the capture to the socket', `half below ${ms(lag['p50'])}, 99 % below ${ms(lag['p99'])}`],
    ['Times that a client fell behind', formatCount(number(delivery['overflows']))],
  ];
  return <Table caption="Batching and compression" head={['What', 'Since the start']} rows={rows} empty="" />;
}

export function Channels({ channels }: { channels: Values[] }) {
  return (
    <Table
      caption="Channels: clients with equal wishes share their batches"
      head={['Form', 'Clients', 'Behind', 'Events', 'Waiting', 'Batches', 'Compressed to', '99 % within']}
      numbers={[1, 2, 4, 7]}
      rows={channels.map((one) => {
        const delivery = values(one['delivery']), lag = values(delivery['lag_us']);
        return [formatValue(one['format']), formatCount(number(one['clients'])), formatCount(number(one['clients_behind'])),
          `${formatCount(number(one['events_matched']))}, ${number(one['events_per_second']).toFixed(1)} a second`,
          formatCount(number(one['events_pending'])),
          batchText(delivery), ratio(delivery), ms(lag['p99'])];
      })}
      empty="None."
    />
  );
}

function ms(us: unknown): string {
  return `${(number(us) / 1000).toFixed(1)} ms`;
}
