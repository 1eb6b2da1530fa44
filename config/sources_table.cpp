#include "config/sources_table.hpp"

#include "config/make_item.hpp"

namespace bindcast {

namespace {

using namespace std::chrono_literals;
using Make = MakeItem<Options>;

constexpr auto kDay = 24h;

void add_detectors(Table<Options>& table) {
  table.push_back(Make::boolean(OPTION(sources.detectors.enabled), "false",
                                "Look for threats in the queries. named captures every query for it, subscribed to or "
                                "not."));
  table.push_back(Make::duration(OPTION(sources.detectors.cooldown), "15m", {1s, 7 * kDay},
                                 "So long the same finding is not told again, unless it has become stronger."));
  table.push_back(Make::real(OPTION(sources.detectors.strong), "3", {1, 1000},
                             "From so many times its threshold on a finding is a threat_detected, below a "
                             "suspicious_activity."));
  table.push_back(Make::integer(OPTION(sources.detectors.entries), "8192", {64, 1'000'000, "entries"},
                                "How many clients, domains or names each table of a detector holds."));
  table.push_back(Make::text_list(OPTION(sources.detectors.ignore_clients), "[]", network_text,
                                  "Addresses and networks (192.0.2.0/24) whose queries are not judged: other "
                                  "resolvers, mail servers."));
  table.push_back(Make::text_list(OPTION(sources.detectors.ignore_domains), "[]", domain_name,
                                  "Names at or below which queries are not judged: blocklists by DNS, telemetry."));

  table.push_back(Make::boolean(OPTION(sources.detectors.nxdomain_flood.enabled), "true",
                                "Many different names that do not exist."));
  table.push_back(Make::duration(OPTION(sources.detectors.nxdomain_flood.window), "1m", {1s, 1h},
                                 "The time in which they are counted."));
  table.push_back(Make::integer(OPTION(sources.detectors.nxdomain_flood.client_names), "200", {1, 1'000'000, "names"},
                                "Asked by one client."));
  table.push_back(Make::integer(OPTION(sources.detectors.nxdomain_flood.domain_names), "500", {1, 1'000'000, "names"},
                                "Asked under one domain, by whomever."));
  table.push_back(Make::real(OPTION(sources.detectors.nxdomain_flood.share), "0.5", {0, 1},
                             "The least share that they have of all queries of that client, or under that domain."));

  table.push_back(Make::boolean(OPTION(sources.detectors.tunnelling.enabled), "true",
                                "Data carried in names: many long ones of one client under one domain."));
  table.push_back(Make::duration(OPTION(sources.detectors.tunnelling.window), "1m", {1s, 1h},
                                 "The time in which they are counted."));
  table.push_back(Make::integer(OPTION(sources.detectors.tunnelling.names), "100", {2, 1'000'000, "names"},
                                "Different ones. Half as many where most are asked for TXT, NULL, CNAME, MX or SRV."));
  table.push_back(Make::integer(OPTION(sources.detectors.tunnelling.name_bytes), "40", {8, 250, "bytes"},
                                "The least length of what stands before the domain; 16 of types TXT and NULL."));
  table.push_back(Make::real(OPTION(sources.detectors.tunnelling.entropy), "3", {0, 6},
                             "The least entropy of that, in bits per character."));

  table.push_back(Make::boolean(OPTION(sources.detectors.amplification.enabled), "true",
                                "Large answers asked over UDP again and again, as with the address of a victim."));
  table.push_back(Make::duration(OPTION(sources.detectors.amplification.window), "1m", {1s, 1h},
                                 "The time in which they are counted."));
  table.push_back(Make::integer(OPTION(sources.detectors.amplification.queries), "300", {2, 100'000'000, "queries"},
                                "For ANY, DNSKEY, RRSIG or TXT from one network (IPv4 /24, IPv6 /56)."));
  table.push_back(Make::integer(OPTION(sources.detectors.amplification.names), "20", {1, 100, "names"},
                                "Of more different names it is not this pattern."));

  table.push_back(Make::boolean(OPTION(sources.detectors.qps_change.enabled), "true",
                                "A sudden change of the server's queries per second."));
  table.push_back(Make::duration(OPTION(sources.detectors.qps_change.window), "10s", {1s, 10min},
                                 "The rate of now is averaged over so long."));
  table.push_back(Make::duration(OPTION(sources.detectors.qps_change.baseline), "10m", {1s, kDay},
                                 "The usual rate over so long; nothing is told before it is known."));
  table.push_back(Make::real(OPTION(sources.detectors.qps_change.factor), "4", {1.1, 1000},
                             "How many times more, or less, is sudden."));
  table.push_back(Make::integer(OPTION(sources.detectors.qps_change.minimum), "50", {1, 10'000'000, "queries/s"},
                                "A usual rate below counts as this, and its drop is not told."));

  table.push_back(Make::boolean(OPTION(sources.detectors.beaconing.enabled), "true",
                                "One client asks for one name at very regular intervals."));
  table.push_back(Make::integer(OPTION(sources.detectors.beaconing.intervals), "24", {3, 10'000, "intervals"},
                                "So many, one after the other."));
  table.push_back(Make::real(OPTION(sources.detectors.beaconing.variation), "0.05", {0.001, 1},
                             "The most that they vary: standard deviation by mean."));
  table.push_back(Make::duration(OPTION(sources.detectors.beaconing.shortest), "5s", {1s, kDay},
                                 "What comes sooner is no beacon."));
  table.push_back(Make::duration(OPTION(sources.detectors.beaconing.longest), "1h", {1s, 7 * kDay},
                                 "What comes later is not followed."));
  table.push_back(Make::integer(OPTION(sources.detectors.beaconing.clients), "3", {1, 4, "clients"},
                                "A name that more ask for is a service's."));

  table.push_back(Make::boolean(OPTION(sources.detectors.infected_client.enabled), "true",
                                "One client meets policy zones that events.rpz.feeds calls malware or phishing."));
  table.push_back(Make::duration(OPTION(sources.detectors.infected_client.window), "10m", {1s, kDay},
                                 "The time in which its hits are counted."));
  table.push_back(Make::integer(OPTION(sources.detectors.infected_client.hits), "20", {1, 1'000'000, "hits"},
                                "So many make a security_alert."));
}

}  // namespace

void add_sources(Table<Options>& table) {
  table.push_back(Make::boolean(OPTION(sources.metrics.enabled), "true", "Measure the system."));
  table.push_back(
      Make::duration(OPTION(sources.metrics.interval), "30s", {1s, kDay}, "How often the system is measured."));
  table.push_back(Make::boolean(OPTION(sources.named.enabled), "true", "Read named's own counters."));
  table.push_back(
      Make::duration(OPTION(sources.named.interval), "10s", {1s, kDay}, "How often named's own counters are read."));
  table.push_back(Make::boolean(OPTION(sources.forwarders.enabled), "true",
                                "Probe the forwarders of named.conf, and those named here."));
  table.push_back(
      Make::duration(OPTION(sources.forwarders.interval), "10s", {100ms, kDay}, "How often each forwarder is probed."));
  table.push_back(Make::duration(OPTION(sources.forwarders.timeout), "2s", {10ms, 1min},
                                 "A probe without an answer for so long has failed."));
  table.push_back(Make::text(OPTION(sources.forwarders.probe), "\". NS\"", probe_text,
                             "The question that is asked: an owner name and a type."));
  table.push_back(
      Make::duration(OPTION(sources.forwarders.slow), "200ms", {1ms, 1min}, "A forwarder that takes longer is slow."));
  table.push_back(Make::integer(OPTION(sources.forwarders.down_after), "3", {1, 1000, "failed probes"},
                                "Then a forwarder is down."));
  table.push_back(
      Make::integer(OPTION(sources.forwarders.up_after), "2", {1, 1000, "answered probes"}, "Then it is up again."));
  table.push_back(Make::text_list(OPTION(sources.forwarders.servers), "[]", server_address,
                                  "Servers to probe besides named's own forwarders."));
  table.push_back(
      Make::path(OPTION(sources.named_log.file), "\"\"", any_text,
                 "The file of one of named's log channels, to be followed; empty: that of the channel called "
                 "bindcast in named.conf, if there is one."));
  table.push_back(Make::enumeration(OPTION(sources.analytics.enabled), "auto",
                                    "Count what is asked, and by whom: always, never, or while somebody subscribed to "
                                    "dns_analytics_update."));
  table.push_back(Make::duration(OPTION(sources.analytics.interval), "5s", {1s, 1h},
                                 "How often the analytics are reported, to the second."));
  table.push_back(
      Make::integer(OPTION(sources.analytics.top), "20", {1, 1000, "entries"}, "The length of their lists."));
  add_detectors(table);
}

void add_health(Table<Options>& table) {
  table.push_back(Make::duration(OPTION(health.interval), "30s", {1s, kDay},
                                 "How often the health of all components, and the status, are told."));
  table.push_back(Make::duration(OPTION(health.recovery), "10s", {0s, 1h},
                                 "A component that failed is healthy again when it has been well for so long. Each "
                                 "relapse within five minutes doubles it, up to five minutes."));
  table.push_back(Make::integer(OPTION(health.disk_degraded), "95", {1, 100, "percent"},
                                "A file system that is written to and so full is degraded."));
  table.push_back(Make::integer(OPTION(health.disk_unhealthy), "99", {1, 100, "percent"}, "Then it is unhealthy."));
  table.push_back(Make::duration(OPTION(health.hold), "10s", {0s, 1h},
                                 "A threshold below raises or clears its alert when it has been crossed for so long."));
  table.push_back(
      Make::integer(OPTION(health.queue_depth), "80", {0, 100, "percent"},
                    "Alert when the clients' queues hold so much of queues.max_total_bytes, or the journal's "
                    "of its own bound; cleared below half of it. 0: never."));
  table.push_back(Make::integer(OPTION(health.capture_drops), "1", {0, 1'000'000'000, "a second"},
                                "Alert when so many queries and policy hits found no room on their way out of named; "
                                "cleared below half of it. 0: never."));
  table.push_back(Make::duration(OPTION(health.loop_lag), "250ms", {0s, 1min},
                                 "Alert when Bindcast's own thread is busy for so long before it comes to what is new; "
                                 "cleared below half of it. 0s: never."));
  table.push_back(Make::duration(OPTION(health.latency), "500ms", {0s, 1600ms},
                                 "Alert when half of what named asks other servers is answered no sooner, or never; "
                                 "cleared below half of it. By named's own counters (sources.named), which tell apart "
                                 "10, 100, 500, 800 and 1600 ms. 0s: never."));
  table.push_back(Make::integer(OPTION(health.query_rate), "20", {0, 90, "percent"},
                                "Alert when the queries a second fall below so much of what is usual; cleared above "
                                "twice as much, or what is usual. 0: never."));
}

}  // namespace bindcast
