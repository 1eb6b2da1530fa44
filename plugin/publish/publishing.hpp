// The one door by which events of others come in, whatever way they took: who may, how many, what it must be, whether
// it was said before, what it is part of. What is accepted is told to everybody by the hub, and the answer says so;
// what is not is counted by its reason.
//
// The clock is a parameter. Loop thread only. Owned by the server.
#pragma once

#include <jansson.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "config/options.hpp"
#include "plugin/delivery/token_bucket.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/publish/bulk_operations.hpp"
#include "plugin/publish/known_ids.hpp"
#include "plugin/publish/published_event.hpp"
#include "plugin/publish/refusal.hpp"
#include "plugin/server/roles.hpp"

namespace bindcast {

// How an event came; the events' source_component.
enum class PublishedBy : std::uint8_t { websocket, http, unix_socket };
inline constexpr std::array<std::string_view, 3> kPublishedByNames{"websocket", "http", "unix_socket"};

struct PublishAnswer {
  std::optional<Refusal> refusal;
  std::string id;              // of the event; empty: refused, or held back
  bool duplicate = false;      // it had been published before, and was not again
  bool held_back = false;      // progress that is told with the next, or overtaken by it
  std::string correlation_id;  // of a bulk operation
};

class Publishing {
 public:
  struct Request {
    const User& user;
    PublishedBy by;
    PublishedForm form;
    std::string_view id{};  // beside the event: of a header
  };

  Publishing(Hub& hub, const Roles& roles, const PublishOptions& options);
  void configure(const PublishOptions& options);
  [[nodiscard]] bool may_publish(const User& user) const { return roles_.may(user, Right::publish); }
  [[nodiscard]] const PublishOptions& options() const noexcept { return options_; }

  // One event.
  [[nodiscard]] PublishAnswer publish(const json_t* json, const Request& request, Now now);
  // What did not even become an event: no JSON, too long, somebody who may not. Counted.
  [[nodiscard]] PublishAnswer refuse(RefusedBecause because, std::string message);
  // An event that the host process makes, by the C ABI.
  void publish_from_host(Event&& event, Now now) noexcept;

  // When run() is wanted, monotonic; 0: not before the next tick.
  [[nodiscard]] std::int64_t due_us() const noexcept { return bulk_.due_us(); }
  void run(Now now) { bulk_.run(now); }
  void tick(Now now);  // once a second
  // Nothing is taken any more.
  void stop(Now now) {
    stopped_ = true;
    bulk_.stop(now);
  }

  struct Counters {
    std::uint64_t published = 0, duplicates = 0, held_back = 0;
    std::array<std::uint64_t, kRefusedBecauseCount> refused{};
  };
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] const BulkOperations& bulk() const noexcept { return bulk_; }
  [[nodiscard]] const KnownIds& known_ids() const noexcept { return known_ids_; }

 private:
  [[nodiscard]] PublishAnswer answer(const json_t* json, const Request& request, Now now);
  [[nodiscard]] std::optional<Refusal> over_rate(const std::string& publisher, Now now);
  [[nodiscard]] Refusal why_not_told(std::uint64_t failed_before) const;

  Hub& hub_;
  const Roles& roles_;
  PublishOptions options_;
  KnownIds known_ids_;
  BulkOperations bulk_;
  std::unordered_map<std::string, TokenBucket> rates_;  // by publisher; without those that would be full
  Counters counters_;
  bool stopped_ = false;
};

}  // namespace bindcast
