// The network side of the runtime: listeners (libwebsockets on the runtime's own libuv loop), HTTP, and one Session per
// WebSocket. Loop thread only.
//
// The listening sockets are our own (acceptor.hpp); libwebsockets serves what they accept.
//
// Life: start(), apply() on each change of the options, begin_shutdown(); when stopped(), or when patience ends,
// finish(); and destroyed only after the loop has run to its end, because libwebsockets closes its handles on the loop.
#pragma once

#include <libwebsockets.h>
#include <uv.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "plugin/delivery/channels.hpp"
#include "plugin/health/health.hpp"
#include "plugin/health/vitals.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/journal/journal.hpp"
#include "plugin/log.hpp"
#include "plugin/metrics/metrics.hpp"
#include "plugin/publish/publish_requests.hpp"
#include "plugin/publish/publish_socket.hpp"
#include "plugin/publish/publishing.hpp"
#include "plugin/publish/turns.hpp"
#include "plugin/server/acceptor.hpp"
#include "plugin/server/certificate.hpp"
#include "plugin/server/escalations.hpp"
#include "plugin/server/exchanges.hpp"
#include "plugin/server/history.hpp"
#include "plugin/server/identity.hpp"
#include "plugin/server/passwords.hpp"
#include "plugin/server/session.hpp"
#include "plugin/server/webhooks.hpp"

namespace bindcast {

// What the server works with; all of it outlives the server.
struct ServerTools {
  uv_loop_t* loop;
  Hub& hub;
  Journal& journal;
  Health& health;
  Metrics& metrics;
  Log log;
};

class Server {
 public:
  Server(const ServerTools& tools, const Options& options, const std::string& state_dir);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void start();
  // Listeners that are gone are closed, connections stay. A change of server.tls is in force for new connections.
  void apply(const Options& options);
  // What the host last counted, for the status; it outlives the server's work.
  void host_summary_is(const Fields& summary) noexcept { host_summary_ = &summary; }
  void options_come_from(ConfigOrigin origin) { shared_.origin = std::move(origin); }
  void tick(Now now);  // once a second
  [[nodiscard]] DeliveryLoad load() const noexcept;
  // Adds what a system_status says of listeners and connections.
  void describe(Fields& data) const;
  void loop_was_busy(std::int64_t us) noexcept { channels_.loop_was_busy(us); }

  // An event that the host made, by the C ABI.
  void publish_from_host(Event&& event, Now now) noexcept { publishing_.publish_from_host(std::move(event), now); }
  // The last that is published: before the host's own last words.
  void end_publishing(Now now);

  void begin_shutdown();  // every client gets 1001
  [[nodiscard]] bool stopped() const noexcept { return connections_.empty(); }
  void finish();
  // Instead of its destruction, where the loop could not be run to its end: nothing will call it any more, and what
  // libwebsockets has stays.
  void abandon() noexcept;

 private:
  struct Listener {
    ListenAddress address;
    std::unique_ptr<Acceptor> acceptor;  // none: to be tried again
    std::int64_t retry_at_us = 0;
    std::uint32_t attempts = 0;  // that failed, since there is none
    std::string fault;           // why there is none
  };
  struct UpgradeRefusal {
    unsigned status;
    std::string_view reason;
  };
  struct Connection {
    lws* wsi;
    std::unique_ptr<Session> session;
    std::string incoming;       // the text message under way
    std::size_t checked = 0;    // of it, in whole characters
    bool discarding = false;    // the rest of a message that was too large
    std::size_t discarded = 0;  // of that message
    FrameRef writing;           // libwebsockets may refer to it until the next WRITEABLE
    bool ready = false;         // among ready_
    std::int64_t heard_us = 0;
    bool ping_due = false;
    bool close_sent = false;  // the close frame is libwebsockets' business by now
    std::int64_t closing_since_us = 0;
    int peer_code = 0;
  };

  static int callback(lws* wsi, lws_callback_reasons reason, void* user, void* in, std::size_t length);
  static const lws_protocols kProtocols[5];  // the last one ends it

  bool create_context();
  void open(Listener& listener, Now now);
  void open_due(Now now);
  void report_listeners(Now now);
  void report_webhook(const WebhookOutcome& outcome, Now now);
  [[nodiscard]] bool encrypts(const ListenAddress& address) const;
  [[nodiscard]] lws_vhost* vhost_for(const ListenAddress& address);
  void accepted(int fd, const ListenAddress& address);
  void turn_away(int fd, const char* why);
  void resume_accepting(Now now);
  [[nodiscard]] bool make_room_for_socket();
  [[nodiscard]] bool make_room_for_session();

  static constexpr std::string_view kWebSocketPaths[] = {"/ws", "/api/websocket/ws"};

  void serve_endpoints();
  [[nodiscard]] HttpAnswer healthz(const HttpRequest& request) const;
  // Who sent it, by what it carries; nobody: nothing that is valid, and that is answered.
  [[nodiscard]] std::optional<User> user_of(const HttpRequest& request, const Reply& reply);
  // Else admins are told.
  bool permitted(const User& user, Right right, const HttpRequest& request, Now now);
  int confirm_upgrade(lws* wsi);
  [[nodiscard]] std::optional<UpgradeRefusal> refusal_of_upgrade(lws* wsi) const;
  [[nodiscard]] static Offered offered_by_handshake(lws* wsi);
  void each_session(const std::function<void(Session&)>& visit);  // those that are admitted

  void established(lws* wsi, Now now);
  void received(Connection& connection, std::string_view part, Now now);
  int writeable(Connection& connection, Now now);
  void begin_close(Connection& connection);
  void closed(lws* wsi, Now now);
  void kill(lws* wsi);
  void tell_turned_away(Now now);
  void tick(Connection& connection, Now now);
  void end_failed();
  void ready(Connection& connection);
  void before_wait(Now now);
  void set_due_timer(std::int64_t due_us, Now now);
  [[nodiscard]] Json status(Now now) const;
  [[nodiscard]] Json publishing_status() const;
  void write_metrics(MetricsText& text);

  uv_loop_t* loop_;
  Journal& journal_;
  Health& health_;
  Metrics& metrics_;
  Log log_;
  std::unique_ptr<Passwords> passwords_;  // none once the server has finished
  Identity identity_;
  Roles roles_;
  Audit audit_;
  Channels channels_;
  Webhooks webhooks_;
  Escalations escalations_;
  Publishing publishing_;
  Turns publish_turns_;
  PublishSocket publish_socket_;
  PublishRequests publish_requests_;
  History history_;
  SessionShared shared_;
  Exchanges exchanges_;
  Certificate certificate_;
  lws_context* context_ = nullptr;
  lws_vhost* plain_ = nullptr;
  lws_vhost* encrypted_ = nullptr;
  std::size_t sockets_ = 0;        // that libwebsockets has, WebSockets or not
  std::vector<lws*> handshaking_;  // of them those that are no WebSockets, oldest first; without those that are killed
  std::vector<Listener> listeners_;
  std::unordered_map<lws*, std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> ready_;      // those that may have something to write; has room for all
  std::vector<Connection*> strangers_;  // those that came without a valid token, oldest first
  std::uint64_t turned_away_ = 0;       // for want of room, newcomers and those that made room for one
  std::uint64_t turned_away_told_ = 0;
  std::int64_t turned_away_said_us_ = 0;  // 0: never
  const char* turned_away_why_ = "";      // the last one
  std::int64_t starvation_said_us_ = 0;   // 0: never
  uv_timer_t due_timer_{};
  std::int64_t due_timer_at_us_ = 0;  // 0: it does not run
  uv_prepare_t before_wait_{};
  bool shutting_down_ = false;
  bool finished_ = false;
  const Fields* host_summary_ = nullptr;
  lws_context* dying_context_ = nullptr;  // its handles close on the loop
};

}  // namespace bindcast
