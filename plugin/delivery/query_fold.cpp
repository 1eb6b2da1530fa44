// Groups of like queries. See query_fold.hpp.
//
// The key of a group holds what its queries have in common, and the batch event is written from it:
//
//   | sizes of view, qtype, rcode, transport: a byte each | dropped: a byte | view | qtype | rcode | transport | qname
//   |
#include "plugin/delivery/query_fold.hpp"

#include <algorithm>
#include <cstring>

#include "events/timestamp.hpp"

namespace bindcast {

struct QueryFold::Query {
  std::string_view view, qname, qtype, rcode, transport, client;
  std::int64_t latency_us = -1;  // negative: not told
  bool dropped = false;

  explicit Query(const Event& event) : view(event.view) {
    // One walk over all values instead of a search for each: this is most of what folding costs.
    for (auto value = event.data.root().first(); value; value = value.next()) {
      const std::string_view key = value.key();
      if (key == "client") {
        client = value.text();
      } else if (key == "transport") {
        transport = value.text();
      } else if (key == "qname") {
        qname = value.text();
      } else if (key == "qtype") {
        qtype = value.text();
      } else if (key == "rcode") {
        rcode = value.text();
      } else if (key == "dropped") {
        dropped = value.boolean();
      } else if (key == "latency_us" && value.kind() == Fields::Kind::integer) {
        latency_us = value.integer();
      }
    }
  }

  // Could this have come from a request? A name in presentation form stays below 1024 bytes.
  [[nodiscard]] bool plausible() const noexcept {
    constexpr std::size_t kMaxName = 1024;
    constexpr std::size_t kMaxText = 255;                      // what a byte can tell the size of
    const bool of_a_query = !qname.empty() || !qtype.empty();  // a mask may have left out the name
    return of_a_query && qname.size() <= kMaxName &&
           std::max({view.size(), qtype.size(), rcode.size(), transport.size(), client.size()}) <= kMaxText;
  }
};

namespace {

constexpr std::size_t kKeySizes = 5;

// With it the sum of 2^32 latencies cannot overflow.
constexpr std::int64_t kMaxLatencyUs = 3'600'000'000;

// What a string holds outside itself.
std::size_t held(const std::string& text) noexcept {
  static const std::size_t kInPlace = std::string().capacity();
  return text.capacity() > kInPlace ? text.capacity() + 1 : 0;
}

void add_time(Fields& data, std::string_view key, std::int64_t unix_us) {
  char text[kTimestampBytes];
  write_timestamp(text, unix_us);
  data.add(key, std::string_view(text, sizeof text));
}

}  // namespace

QueryFold::QueryFold(std::size_t max_groups)
    : max_groups_(max_groups),
      // Where this object lies cannot be known from outside (ASLR).
      groups_(0, SaltedHash{reinterpret_cast<std::uintptr_t>(this)}) {}

void QueryFold::write_key(const Query& query) {
  const std::string_view parts[] = {query.view, query.qtype, query.dropped ? std::string_view() : query.rcode,
                                    query.transport};
  std::size_t size = kKeySizes + query.qname.size();
  for (const std::string_view part : parts) size += part.size();
  key_.resize(size);
  char* sizes = key_.data();
  char* at = sizes + kKeySizes;
  for (const std::string_view part : parts) {
    *sizes++ = static_cast<char>(part.size());
    if (!part.empty()) std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  *sizes = query.dropped ? 1 : 0;
  for (const char c : query.qname) *at++ = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

void QueryFold::add_client(Group& group, std::string_view client) {
  if (client.empty() || group.more_clients) return;
  const std::string_view known = group.clients;
  for (std::size_t at = 0; at < known.size();) {
    const std::size_t size = static_cast<unsigned char>(known[at]);
    if (known.substr(at + 1, size) == client) return;
    at += 1 + size;
  }
  const std::size_t needed = known.size() + 1 + client.size();
  const std::size_t capacity = group.clients.capacity();
  // Growing, a string takes twice what it had, or what it needs.
  const bool too_large = needed > capacity && bytes_ + std::max(2 * capacity, needed) + 1 > kMaxBytes;
  if (group.client_count == kMaxClients || too_large) {
    group.more_clients = true;
    return;
  }
  const std::size_t before = held(group.clients);
  group.clients.reserve(needed);
  group.clients.push_back(static_cast<char>(client.size()));
  group.clients.append(client);
  ++group.client_count;
  bytes_ += held(group.clients) - before;
}

bool QueryFold::fold(const Event& event) {
  if (event.type != EventType::dns_query_log) return false;
  const Query query(event);
  if (!query.plausible()) return false;
  write_key(query);

  auto found = groups_.find(std::string_view(key_));
  if (found == groups_.end()) {
    // A node with its link, hash and heap header, and two buckets.
    constexpr std::size_t kGroupBytes = sizeof(Groups::value_type) + 5 * sizeof(void*);
    // More than its first client can take, so that it is always kept.
    const std::size_t client_bytes = 2 * (query.client.size() + 16);
    if (groups_.size() >= max_groups_ || bytes_ + kGroupBytes + key_.size() + 1 + client_bytes > kMaxBytes)
      return false;
    Group fresh;
    fresh.first = event.offset;
    fresh.from_us = fresh.to_us = event.timestamp_us;
    found = groups_.emplace(key_, std::move(fresh)).first;
    bytes_ += kGroupBytes + held(found->first);
  }

  Group& group = found->second;
  ++folded_;
  ++group.count;
  group.queries += std::max<std::uint32_t>(event.sampled, 1);
  // Offsets and times of different threads' queries need not run alike.
  group.first = std::min(group.first, event.offset);
  group.last = std::max(group.last, event.offset);
  group.from_us = std::min(group.from_us, event.timestamp_us);
  group.to_us = std::max(group.to_us, event.timestamp_us);
  if (query.latency_us >= 0) {
    const std::int64_t latency_us = std::min(query.latency_us, kMaxLatencyUs);
    group.latency_min_us = group.latency_count == 0 ? latency_us : std::min(group.latency_min_us, latency_us);
    group.latency_max_us = std::max(group.latency_max_us, latency_us);
    group.latency_sum_us += static_cast<std::uint64_t>(latency_us);
    ++group.latency_count;
  }
  add_client(group, query.client);
  return true;
}

Event QueryFold::batch_event(const std::string& key, const Group& group, const StreamIdentity& stream, Now now) {
  std::string_view rest = std::string_view(key).substr(kKeySizes);
  const auto next = [&key, &rest](std::size_t index) {
    const std::string_view part = rest.substr(0, static_cast<unsigned char>(key[index]));
    rest.remove_prefix(part.size());
    return part;
  };
  const std::string_view view = next(0);
  const std::string_view qtype = next(1);
  const std::string_view rcode = next(2);
  const std::string_view transport = next(3);
  const bool dropped = key[4] != 0;

  Event event = make_event(EventType::dns_query_batch);
  event.timestamp_us = now.wall_us;
  event.source_service = stream.service;
  event.source_component = "query";
  event.view = view;

  Fields& data = event.data;
  if (!rest.empty()) data.add("qname", rest);
  data.add("qtype", qtype);
  if (dropped) {
    data.add_boolean("dropped", true);
  } else {
    data.add("rcode", rcode);
  }
  data.add("view", view);
  data.add("transport", transport);
  data.add_integer("count", static_cast<std::int64_t>(group.count));
  if (group.queries != group.count) data.add_integer("queries", static_cast<std::int64_t>(group.queries));
  if (group.client_count == 1 && !group.more_clients) {
    data.add("client", std::string_view(group.clients).substr(1));
  } else if (group.client_count > 0) {
    data.add_integer("clients", group.client_count);
    if (group.more_clients) data.add_boolean("clients_at_least", true);
  }
  if (group.latency_count > 0) {
    const std::uint64_t mean_us = (group.latency_sum_us + group.latency_count / 2) / group.latency_count;
    data.begin_object("latency_us");
    data.add_integer("min", group.latency_min_us);
    data.add_integer("mean", static_cast<std::int64_t>(mean_us));
    data.add_integer("max", group.latency_max_us);
    data.end();
  }
  data.add("first", event_id(stream, group.first));
  data.add("last", event_id(stream, group.last));
  add_time(data, "from", group.from_us);
  add_time(data, "to", group.to_us);
  return event;
}

std::vector<Event> QueryFold::take(const StreamIdentity& stream, Now now) {
  std::vector<const Groups::value_type*> ordered;
  ordered.reserve(groups_.size());
  for (const auto& entry : groups_) ordered.push_back(&entry);
  std::ranges::sort(ordered, {}, [](const Groups::value_type* entry) { return entry->second.first; });

  std::vector<Event> events;
  events.reserve(ordered.size());
  for (const auto* entry : ordered) events.push_back(batch_event(entry->first, entry->second, stream, now));

  groups_.clear();
  folded_ = 0;
  bytes_ = 0;
  return events;
}

}  // namespace bindcast
