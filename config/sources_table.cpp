#include "config/sources_table.hpp"

#include <algorithm>

#include "config/make_item.hpp"

namespace bindcast {

namespace {

using namespace std::chrono_literals;
using Make = MakeItem<Options>;

constexpr auto kDay = 24h;

// sources.detectors: each detector's mapping is kept as text.
Item<Options> detectors_item() {
  static const Names known{"nxdomain_flood", "tunnelling", "amplification"};
  Item<Options> item{{"sources.detectors", ItemKind::mapping, "keys " + join(known), "{}",
                      "Settings of the threat detectors.", kNotBuilt, ""},
                     {},
                     {},
                     {}};
  item.read = [](const YamlNode& node, Options& options, Reader& reader, const std::string& key) {
    if (!check_mapping(node, reader, key)) return;
    for (const YamlNode& child : node.children) {
      const std::string place = key + "." + child.key;
      if (std::find(known.begin(), known.end(), child.key) == known.end()) {
        fault_unknown_key(child, place, known, known, reader);
      } else if (check_mapping(child, reader, place)) {
        options.sources.detectors[child.key] = flow_text(child);
      }
    }
  };
  item.show = [](const Options& options, const std::string& key, std::vector<ShownValue>& out) {
    for (const auto& [name, text] : options.sources.detectors) out.push_back({key + "." + name, text, false});
  };
  return item;
}

}  // namespace

void add_sources(Table<Options>& table) {
  table.push_back(Make::boolean(OPTION(sources.metrics.enabled), "true", "Measure the system.", kNotBuilt));
  table.push_back(Make::duration(OPTION(sources.metrics.interval), "30s", {1s, kDay},
                                 "How often the system is measured.", kNotBuilt));
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
  table.push_back(Make::path(OPTION(sources.named_log.file), "\"\"", any_text,
                             "The file of one of named's log channels, to be followed; empty: none.", kNotBuilt));
  table.push_back(Make::enumeration(OPTION(sources.analytics.enabled), "auto",
                                    "Count what is asked, and by whom: always, never, or while somebody subscribed to "
                                    "dns_analytics_update."));
  table.push_back(Make::duration(OPTION(sources.analytics.interval), "5s", {1s, 1h},
                                 "How often the analytics are reported, to the second."));
  table.push_back(
      Make::integer(OPTION(sources.analytics.top), "20", {1, 1000, "entries"}, "The length of their lists."));
  table.push_back(detectors_item());
}

}  // namespace bindcast
