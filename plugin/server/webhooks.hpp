// Posts JSON to http(s) URLs by libwebsockets' HTTP client, signed, and again when it did not arrive. Loop thread only.
//
// A delivery is tried at once, and then RetryOptions.attempts more times; 2xx ends it as delivered, 410 Gone ends it at
// once as failed, everything else is tried again. Every outcome of an attempt is told, never from inside post() or
// cancel(). Redirects are not followed and proxies not used: the body goes to the host that was configured, or nowhere.
// Certificates are checked against the system's store (as OpenSSL finds it when the first attempt is made) and the
// host's name.
//
// Bounded in number and bytes; what has no room is refused and counted. Neither a URL's path nor a secret is logged or
// told.
//
// Life: attach() before the first post, stop() before the context is destroyed; after stop() nothing is told, and the
// loop must turn once more to free the handles.
#pragma once

#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <uv.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "config/options.hpp"
#include "plugin/clock.hpp"
#include "plugin/faults.hpp"
#include "plugin/log.hpp"
#include "plugin/server/name_lookup.hpp"

namespace bindcast {

struct WebhookPost {
  std::string url;
  std::string secret_file;  // empty: not signed
  std::string id;           // the delivery's, the same at every attempt, so that the receiver can tell repetitions
  std::string body;         // JSON
};

struct WebhookOutcome {
  std::string id;
  std::string target;         // scheme://host[:port]; empty when the URL is no good
  std::uint32_t attempt = 0;  // 1 is the first
  int status = 0;             // of HTTP; 0: no answer
  std::string fault;          // empty when delivered
  bool delivered = false;
  bool final = false;  // no further attempt
};

struct WebhookCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;  // no room
  std::uint64_t attempts = 0;
  std::uint64_t delivered = 0;
  std::uint64_t failed = 0;  // given up
  std::uint64_t cancelled = 0;
};

struct WebhookLimits {
  std::size_t max_posts = 100;  // accepted and not ended
  std::size_t max_body_bytes = 1024 * 1024;
  std::size_t max_in_flight = 4;
  // Less than the 10 s after which libwebsockets gives up a connection that does not come about: that way of its
  // (4.1, on libuv) leaves a handle on the loop for ever.
  std::int64_t attempt_us = 9'500'000;
};

class Webhooks {
 public:
  using Told = std::function<void(const WebhookOutcome&, Now)>;
  // From outside, for tests.
  struct Means {
    WebhookLimits limits;
    std::function<double()> random;  // from [0, 1)
    NameLookup::Resolve resolve = resolve_by_system;
  };

  Webhooks(uv_loop_t* loop, Log log, Faults& faults, Told told)
      : Webhooks(loop, std::move(log), faults, std::move(told), Means{}) {}
  Webhooks(uv_loop_t* loop, Log log, Faults& faults, Told told, Means means);
  ~Webhooks();
  Webhooks(const Webhooks&) = delete;
  Webhooks& operator=(const Webhooks&) = delete;

  // The context runs on the same loop, was made with LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT and a timeout_secs of at
  // least 10.
  void attach(lws_context* context);
  void configure(const RetryOptions& retry) { retry_ = retry; }

  // False: no room; counted.
  [[nodiscard]] bool post(WebhookPost post, Now now);
  // Ends the delivery, and its attempt under way; nothing more is told of it. True: there was one, and no attempt has
  // sent the body, so that its receiver cannot know of it.
  bool cancel(const std::string& id);
  void stop();

  [[nodiscard]] const WebhookCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::size_t pending() const noexcept { return deliveries_.size(); }

 private:
  struct Delivery;
  struct FreeSslContext {
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  };

  static int callback(lws* wsi, lws_callback_reasons reason, void* user, void* in, std::size_t length);
  static const lws_protocols kProtocols[];

  void wake();  // turn() soon, never from inside the caller
  void turn(Now now);
  void begin(Delivery& delivery, Now now);
  void look_up_next();
  void found(const std::string& name, const NameAnswer& answer, Now now);
  void connect(Delivery& delivery, const std::string& address, Now now);
  [[nodiscard]] std::string prepare(Delivery& delivery, Now now);
  [[nodiscard]] std::string create_vhost();
  void settle(Delivery& delivery, Now now);
  void schedule(bool room, Now now);
  void start_timer(std::uint64_t ms);

  uv_loop_t* loop_;
  Log log_;
  Faults& faults_;
  Told told_;
  WebhookLimits limits_;
  std::function<double()> random_;
  RetryOptions retry_;
  WebhookCounters counters_;
  lws_context* context_ = nullptr;
  std::unique_ptr<SSL_CTX, FreeSslContext> tls_;  // the vhost's
  lws_vhost* vhost_ = nullptr;
  std::unique_ptr<NameLookup> lookup_;
  uv_timer_t* timer_;                                // freed by its close callback
  std::list<std::unique_ptr<Delivery>> deliveries_;  // libwebsockets refers to those in flight
  std::size_t body_bytes_ = 0;
  std::deque<WebhookOutcome> untold_;
  bool stopped_ = false;
};

}  // namespace bindcast
