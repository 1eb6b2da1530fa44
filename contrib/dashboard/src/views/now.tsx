import { useEffect } from 'preact/hooks';
import { Chart } from '../chart.tsx';
import { term } from '../filter/terms.ts';
import { formatBytes, formatCount, formatDuration, formatShare, formatShort } from '../format.ts';
import { analytics, bindStatus, blockedShare, cacheHits, forwarders, health, latency, list, number, openAlerts, queryRate,
  queryStats, rcodes, system, values, wantAnalytics, type Values } from '../model.ts';
import { Figure, Moment, StateWord, Table } from '../parts.tsx';
import { href } from '../route.ts';

/** How the server is, at a glance. */
export function Now() {
  useEffect(wantAnalytics, []);
  const asked = queryStats.value, look = analytics.value, named = bindStatus.value, machine = system.value;
  const us = values(look['latency_us']);
  const known = Object.keys(look).length > 0;
  const ill = health.value.filter((one) => one['state'] !== 'healthy');
  const memory = values(named['cache_memory_bytes']);
  return (
    <section class="page">
      <dl class="figures">
        <Figure title="Queries a second" course={queryRate.value}>
          {formatShort(number(asked['qps'] ?? look['qps']))}
        </Figure>
        <Figure title="Blocked" note={known ? `of ${formatCount(number(look['queries']))} queries` : ''} course={blockedShare.value}>
          {known ? formatShare(number(look['blocked_share'])) : '–'}
        </Figure>
        <Figure title="Answered from the cache" course={cacheHits.value}>
          {asked['cache_hit_ratio'] === undefined ? '–' : formatShare(number(asked['cache_hit_ratio']))}
        </Figure>
        <Figure title="Open alerts" note={openAlerts.value > 0 ? 'wait for somebody' : 'nothing waits'}>
          <a href={href('alerts')} class={openAlerts.value > 0 ? 'bad' : ''}>
            {formatCount(openAlerts.value)}
          </a>
        </Figure>
        <Figure title="Health" note={ill.map((one) => String(one['component'])).join(', ')}>
          {health.value.length === 0 ? '–' : <StateWord state={worst(health.value)} />}
        </Figure>
        <Figure title="Latency, half are below" note={known ? `99 % below ${ms(us['p99'])}` : ''}>
          {known ? ms(us['p50']) : '–'}
        </Figure>
        <Figure title="Clients" note={known ? `ask for ${formatShort(number(look['distinct_names']))} names` : ''}>
          {known ? formatShort(number(look['distinct_clients'])) : '–'}
        </Figure>
        <Figure title="Cache" note={named['cache_nodes'] === undefined ? '' : formatBytes(number(memory['used']))}>
          {named['cache_nodes'] === undefined ? '–' : `${formatShort(number(named['cache_nodes']))} names`}
        </Figure>
        <Figure title="named" note={named['version'] === undefined ? '' : `version ${String(named['version'])}`}>
          {named['uptime_seconds'] === undefined ? '–' : `up ${formatDuration(number(named['uptime_seconds']))}`}
        </Figure>
        <Figure title="Load of the machine" note="in the last minute">
          {machine['load'] === undefined ? '–' : number(values(machine['load'])['load1']).toFixed(2)}
        </Figure>
      </dl>
      <div class="grid">
        <Chart title="Answers" unit="a second, by rcode" series={rcodes.value} />
        <Chart title="Latency" unit="milliseconds" series={latency.value} />
        <Table
          caption="Components"
          head={['Component', 'State', 'Why', 'Since']}
          rows={[...health.value]
            .sort((a, b) => rank(b) - rank(a))
            .map((one) => [String(one['component']), <StateWord state={String(one['state'])} />,
              String(one['reason'] ?? ''), <Moment at={String(one['since'] ?? '')} />])}
          empty="Nothing has been said yet."
        />
        <Table
          caption="Forwarders"
          head={['Server', 'State', 'Half below', 'Lost']}
          numbers={[2, 3]}
          rows={[...forwarders.value.values()].map((one) => [String(one['server']),
            <StateWord state={String(one['state'])} />, one['p50_us'] === undefined ? '' : ms(one['p50_us']),
            one['loss'] === undefined ? '' : formatShare(number(one['loss']), 0)])}
          empty="None has been probed yet."
        />
        <Top caption="Names asked for most" title="Name" member="qname" entries={list(look['names'])} />
        <Top caption="Clients that ask most" title="Client" member="client" entries={list(look['clients'])} />
      </div>
    </section>
  );
}

function ms(us: unknown): string {
  return `${(number(us) / 1000).toFixed(2)} ms`;
}

function rank(component: Values): number {
  return ['healthy', 'degraded', 'unhealthy'].indexOf(String(component['state']));
}

function worst(components: Values[]): string {
  return String([...components].sort((a, b) => rank(b) - rank(a))[0]?.['state'] ?? '');
}

interface TopProps {
  caption: string;
  title: string; // of what is counted
  member: string;
  entries: Values[];
}

function Top({ caption, title, member, entries }: TopProps) {
  return (
    <Table
      caption={caption}
      head={[title, 'Queries']}
      numbers={[1]}
      rows={entries.slice(0, 10).map((entry) => [
        <a href={href('live', { filter: term(member, entry[member]) })}>{String(entry[member])}</a>,
        formatCount(number(entry['count'])),
      ])}
      empty="Nothing has been counted yet."
    />
  );
}
