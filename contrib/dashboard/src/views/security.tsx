import type { BindcastEvent } from '@bindcast/client';
import { useSignal } from '@preact/signals';
import { formatCount, formatValue } from '../format.ts';
import { useLatest } from '../hooks.ts';
import { number } from '../model.ts';
import { Table } from '../parts.tsx';
import { Details } from './live/details.tsx';

const HITS = ['malware_blocked', 'phishing_blocked', 'dns_query_blocked', 'dns_query_allowed'];
const DETECTIONS = ['security_alert', 'threat_detected', 'suspicious_activity', 'update_denied', 'transfer_denied',
  'tsig_failure', 'dnssec_failure', 'rate_limited', 'authentication_failed'];
export const SECURITY = [...HITS, ...DETECTIONS];
const LONGEST = 20;

/** What policies caught, by feed, rule and client, and what was detected. */
export function Security() {
  const latest = useLatest(SECURITY);
  const opened = useSignal<BindcastEvent | undefined>(undefined);
  const hits = latest.value.filter((event) => HITS.includes(event.type));
  const detections = latest.value.filter((event) => !HITS.includes(event.type));
  const open = (event: BindcastEvent, text: string) => (
    <button type="button" class="plain" onClick={() => (opened.value = event)}>
      {text}
    </button>
  );
  return (
    <section class="split">
      <div class="page grid">
        <Counted caption="Hits by feed" title="Feed" member="policy_zone" events={hits} />
        <Counted caption="Hits by rule" title="Rule" member="rule" events={hits} />
        <Counted caption="Hits by client" title="Client" member="client" events={hits} />
        <Counted caption="Hits by name" title="Name" member="qname" events={hits} />
        <Table
          whole
          caption="Detections"
          head={['Time', 'What', 'Client', 'About']}
          rows={detections.slice(0, LONGEST * 5).map((event) => [
            open(event, event.timestamp.slice(0, 19).replace('T', ' ')), event.type, formatValue(event.data['client']),
            formatValue(event.data['domain'] ?? event.data['zone'] ?? event.data['qname'] ?? event.data['reason'])])}
          empty="Nothing was detected."
        />
        <Table
          whole
          caption="The latest hits"
          head={['Time', 'What', 'Client', 'Name', 'Feed', 'Action', 'Times']}
          rows={hits.slice(0, LONGEST * 5).map((event) => [
            open(event, event.timestamp.slice(0, 19).replace('T', ' ')), event.type,
            ...['client', 'qname', 'policy_zone', 'action'].map((name) => formatValue(event.data[name])),
            formatCount(number(event.data['count']) || 1)])}
          empty="No policy has caught anything."
        />
      </div>
      {opened.value && <Details event={opened.value} close={() => (opened.value = undefined)} />}
    </section>
  );
}

interface CountedProps {
  caption: string;
  title: string; // of what is counted
  member: string;
  events: BindcastEvent[];
}

function Counted({ caption, title, member, events }: CountedProps) {
  const counts = new Map<string, number>();
  for (const event of events) {
    const value = formatValue(event.data[member]);
    if (value !== '') counts.set(value, (counts.get(value) ?? 0) + (number(event.data['count']) || 1));
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, LONGEST);
  return (
    <Table
      caption={caption}
      head={[title, 'Hits']}
      rows={sorted.map(([value, count]) => [value, formatCount(count)])}
      empty="None."
    />
  );
}
