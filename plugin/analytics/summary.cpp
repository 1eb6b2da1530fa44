#include "plugin/analytics/summary.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <tuple>
#include <vector>

#include "events/dns_text.hpp"

namespace bindcast {

namespace {

void add_name(Fields& data, Fields::Key key, const ViewSketch::Name& name) {
  data.add_text_with(key, max_name_text(name.size), [&](char* at) { return write_name(at, name.text()); });
}

void add_client(Fields& data, const ViewSketch::Address& address, ClientAddressPrivacy privacy) {
  const Network client = ViewSketch::client_of(address, privacy);
  std::string text = address_text(client);
  if (client.prefix != client.longest()) text += "/" + std::to_string(client.prefix);
  data.add("client"_key, text);
}

template <typename Write>
void add_code(Fields& data, Fields::Key key, Write write, std::uint16_t code) {
  data.add_text_with(key, kMaxCodeText, [=](char* at) { return write(at, code); });
}

double rounded(double value, double steps) {
  return std::round(value * steps) / steps;
}

}  // namespace

Summary::Summary(std::span<const ViewSketch* const> of, const PrivacyOptions& privacy) : of_(of), privacy_(privacy) {
  for (const ViewSketch* view : of) {
    queries += view->queries;
    blocked += view->blocked;
    dropped += view->dropped;
    latency_us_sum += view->latency_us_sum;
    latency_us.add(view->latency_us);
  }
  distinct_names =
      distinct(&ViewSketch::distinct_names, &ViewSketch::top_names,
               privacy.query_name == QueryNamePrivacy::full || privacy.query_name == QueryNamePrivacy::hash);
  distinct_clients = distinct(
      &ViewSketch::distinct_clients, &ViewSketch::top_clients,
      privacy.client_address == ClientAddressPrivacy::full || privacy.client_address == ClientAddressPrivacy::hash);
}

// While every one of them has a slot of its own, they need not be estimated.
std::uint64_t Summary::distinct(HyperLogLog ViewSketch::*all, SpaceSaving ViewSketch::*top, bool apart) const {
  if (apart && std::ranges::all_of(of_, [&](const ViewSketch* view) { return (view->*top).exact(); }))
    return entries(top, 0).size();
  HyperLogLog together;
  for (const ViewSketch* view : of_) together.merge(view->*all);
  return std::min(together.estimate(), queries);  // more cannot be, whatever the estimate
}

// A view that has pushed keys out may have seen one that it does not hold as often as its least frequent.
std::vector<Summary::Entry> Summary::entries(SpaceSaving ViewSketch::*sketch, std::size_t top) const {
  std::vector<Entry> all;
  std::uint64_t unseen = 0;
  for (const ViewSketch* view : of_) {
    const SpaceSaving& part = view->*sketch;
    unseen += part.unseen();
    for (std::size_t i = 0; i < part.size(); ++i) {
      const auto slot = static_cast<SpaceSaving::Slot>(i);
      // Without what this view might have had unseen: that is added for all together.
      all.push_back({part.key(slot), part.count(slot) - part.unseen(), part.error(slot) - part.unseen(), view, slot});
    }
  }
  if (of_.size() > 1) std::ranges::sort(all, {}, &Entry::key);  // those of one are different already
  std::size_t kept = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (kept != 0 && all[kept - 1].key == all[i].key) {
      all[kept - 1].count += all[i].count;
      all[kept - 1].error += all[i].error;
    } else {
      all[kept++] = all[i];
    }
  }
  all.resize(kept);
  for (Entry& entry : all) {
    entry.count += unseen;
    entry.error += unseen;
  }
  const auto first = [](const Entry& a, const Entry& b) {
    return std::tie(b.count, a.error, a.key) < std::tie(a.count, b.error, b.key);
  };
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(top, all.size())), all.end(),
                    first);
  return all;
}

template <typename WriteKey>
void Summary::write_list(Fields& data, Fields::Key name, SpaceSaving ViewSketch::*sketch, std::size_t top,
                         const WriteKey& write_key) const {
  data.begin_array(name);
  const std::vector<Entry> all = entries(sketch, top);
  for (const Entry& entry : std::span(all).first(std::min(top, all.size()))) {
    data.begin_object({});
    write_key(*entry.view, entry.slot);
    data.add_integer("count"_key, static_cast<std::int64_t>(entry.count));
    data.add_integer("error"_key, static_cast<std::int64_t>(entry.error));
    data.end();
  }
  data.end();
}

void Summary::write(Fields& data, std::size_t top, std::int64_t interval_us) const {
  data.add_integer("queries"_key, static_cast<std::int64_t>(queries));
  data.add_real("qps"_key, interval_us > 0 ? rounded(static_cast<double>(queries) * 1e6 / interval_us, 100) : 0);
  data.add_integer("blocked"_key, static_cast<std::int64_t>(blocked));
  const double share = queries == 0 ? 0 : static_cast<double>(blocked) / static_cast<double>(queries);
  data.add_real("blocked_share"_key, rounded(share, 1e6));
  data.add_integer("dropped"_key, static_cast<std::int64_t>(dropped));
  data.add_integer("distinct_clients"_key, static_cast<std::int64_t>(distinct_clients));
  data.add_integer("distinct_names"_key, static_cast<std::int64_t>(distinct_names));
  data.begin_object("latency_us"_key);
  data.add_integer("p50"_key, latency_us.percentile(50));
  data.add_integer("p90"_key, latency_us.percentile(90));
  data.add_integer("p95"_key, latency_us.percentile(95));
  data.add_integer("p99"_key, latency_us.percentile(99));
  data.add_integer("max"_key, latency_us.maximum());
  const std::uint64_t answered = queries - dropped;
  data.add_integer("mean"_key, answered == 0 ? 0 : std::llround(latency_us_sum / static_cast<double>(answered)));
  data.end();

  if (privacy_.query_name != QueryNamePrivacy::none) {
    write_list(data, "names"_key, &ViewSketch::top_names, top,
               [&](const ViewSketch& view, SpaceSaving::Slot slot) { add_name(data, "qname"_key, view.names[slot]); });
    write_list(data, "domains"_key, &ViewSketch::top_domains, top, [&](const ViewSketch& view, SpaceSaving::Slot slot) {
      add_name(data, "domain"_key, view.domains[slot]);
    });
  }
  if (privacy_.client_address != ClientAddressPrivacy::none)
    write_list(data, "clients"_key, &ViewSketch::top_clients, top, [&](const ViewSketch& view, SpaceSaving::Slot slot) {
      add_client(data, view.clients[slot], privacy_.client_address);
    });
  write_list(data, "types"_key, &ViewSketch::types, top, [&](const ViewSketch& view, SpaceSaving::Slot slot) {
    add_code(data, "qtype"_key, write_rrtype, view.type_codes[slot]);
  });
  write_list(data, "rcodes"_key, &ViewSketch::rcodes, top, [&](const ViewSketch& view, SpaceSaving::Slot slot) {
    add_code(data, "rcode"_key, write_rcode, view.rcode_codes[slot]);
  });
}

}  // namespace bindcast
