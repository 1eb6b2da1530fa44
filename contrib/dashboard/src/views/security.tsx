import type { BindcastEvent } from '@bindcast/client';
import { useSignal } from '@preact/signals';
import { Details } from '../details.tsx';
import { Lead } from '../filter/lead.tsx';
import { Evidence, findingText } from '../finding.tsx';
import { formatCount, formatValue } from '../format.ts';
import { byTime, Latest, useLatest } from '../hooks.ts';
import { number } from '../model.ts';
import { Moment, More, StateWord, Table } from '../parts.tsx';

const HITS = ['malware_blocked', 'phishing_blocked', 'dns_query_blocked', 'dns_query_allowed'];
const SIGNS = ['security_alert', 'threat_detected', 'suspicious_activity'];
const REFUSALS = ['update_denied', 'transfer_denied', 'tsig_failure', 'dnssec_failure', 'rate_limited', 'authentication_failed'];
export const SECURITY = [...HITS, ...SIGNS, ...REFUSALS];
// Each by itself: a flood of one pushes nothing out of the others.
const keptHits = new Latest(HITS), keptSigns = new Latest(SIGNS), keptRefusals = new Latest(REFUSALS);
const LONGEST = 10, MOST_FINDINGS = 20, MOST_ROWS = 100;

/** What was detected, and what policies caught, by feed, rule, client and name. */
export function Security() {
  const hits = useLatest(keptHits), signs = useLatest(keptSigns), refused = useLatest(keptRefusals);
  const opened = useSignal<BindcastEvent | undefined>(undefined);
  // A program may publish signs too, which stand on nothing that a detector counts.
  const refusals = [...refused, ...signs.filter((event) => event.data['detector'] === undefined)].sort(byTime);
  // Of one finding the latest event, which has all that is known.
  const findings = new Map<string, BindcastEvent>();
  for (const event of signs) {
    const finding = event.metadata?.correlation_id ?? event.id;
    if (event.data['detector'] !== undefined && !findings.has(finding)) findings.set(finding, event);
  }
  const open = (event: BindcastEvent) => (
    <button type="button" class="plain" onClick={() => (opened.value = event)}>
      <Moment at={event.timestamp} />
    </button>
  );
  return (
    <section class="split">
      <div class="page">
        <h2>Detections</h2>
        {findings.size === 0 && (
          <p class="empty">Nothing was detected. Threats are looked for where sources.detectors is on.</p>
        )}
        <div class="grid cards">
          {[...findings.values()].slice(0, MOST_FINDINGS).map((event) => (
            <Finding key={event.id} event={event} time={open(event)} />
          ))}
        </div>
        <More than={MOST_FINDINGS} of={findings.size} what="older findings" />
        <h2>Policy hits</h2>
        {hits.length > 0 && (
          <p class="faint">
            The latest {formatCount(hits.length)}, since <Moment at={hits.at(-1)!.timestamp} />
          </p>
        )}
        <div class="grid narrow">
          <Counted caption="Hits by feed" title="Feed" member="policy_zone" events={hits} />
          <Counted caption="Hits by rule" title="Rule" member="rule" events={hits} />
          <Counted caption="Hits by client" title="Client" member="client" events={hits} />
          <Counted caption="Hits by name" title="Name" member="qname" events={hits} />
        </div>
        <Table
          caption="The latest hits"
          head={['Time', 'What', 'Client', 'Name', 'Feed', 'Action', 'Times']}
          numbers={[6]}
          rows={hits.slice(0, MOST_ROWS).map((event) => [open(event), event.type,
            ...['client', 'qname', 'policy_zone', 'action'].map((name) => formatValue(event.data[name])),
            formatCount(number(event.data['count']) || 1)])}
          empty="No policy has caught anything."
        />
        <Table
          caption="Refusals and failures"
          head={['Time', 'What', 'Client', 'About', 'Why']}
          rows={refusals.slice(0, MOST_ROWS).map((event) => [open(event), event.type, formatValue(event.data['client']),
            formatValue(event.data['zone'] ?? event.data['qname'] ?? event.data['user']), formatValue(event.data['reason'])])}
          empty="Nothing was refused."
        />
      </div>
      {opened.value && <Details event={opened.value} close={() => (opened.value = undefined)} />}
    </section>
  );
}

function Finding({ event, time }: { event: BindcastEvent; time: preact.ComponentChildren }) {
  const { data } = event;
  const over = data['state'] === 'ended';
  return (
    <article class={`card finding ${over ? '' : event.priority}`}>
      <header>
        <h3>{formatValue(data['detector']).replaceAll('_', ' ')}</h3>
        {over ? <span class="faint">ended</span> : <StateWord state={event.priority} />}
        {time}
      </header>
      <p>{findingText(data)}</p>
      <Evidence data={data} />
    </article>
  );
}

interface CountedProps {
  caption: string;
  title: string; // of what is counted
  member: string;
  events: readonly BindcastEvent[];
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
      numbers={[1]}
      rows={sorted.map(([value, count]) => [<Lead field={member} value={value} />, formatCount(count)])}
      empty="None."
    />
  );
}
