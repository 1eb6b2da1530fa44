#include "plugin/server/server.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <limits>
#include <random>
#include <utility>

#include "events/plain_text.hpp"
#include "events/utf8.hpp"
#include "plugin/version.hpp"

namespace bindcast {

namespace {

constexpr std::int64_t kListenRetryUs = 5'000'000;
constexpr int kCloseBoundSeconds = 2;   // a peer that does not take or answer its close frame is cut off
constexpr int kMaxNoiseLines = 20;      // of libwebsockets' own log, per second
constexpr unsigned kSpareSockets = 64;  // beyond max_connections, for handshakes and plain requests
constexpr unsigned kDyingSockets = Acceptor::kAcceptsPerTurn;  // those killed in a turn are gone in the next
constexpr std::size_t kBytesPerTurn = 512 * 1024;              // to one client, before the others get their turn
constexpr unsigned kMostConnections = 10'000;                  // as server.max_connections allows
constexpr unsigned kMostSockets = kMostConnections + kSpareSockets + kDyingSockets;
constexpr std::int64_t kSayAgainUs = 60'000'000;  // what goes on and on
constexpr const char* kNoRoom = "there is no room (server.max_connections)";
constexpr std::size_t kMostDiscarded = 1024 * 1024;  // of one message that was too large; then the peer is cut off

// libwebsockets logs by a C callback for the whole process, and can do so without end (descriptor exhaustion).
Log* g_lws_log = nullptr;
std::atomic<int> g_lws_lines{0};

void on_lws_log(int level, const char* line) {
  if (g_lws_log == nullptr || g_lws_lines.fetch_add(1, std::memory_order_relaxed) >= kMaxNoiseLines) return;
  try {
    std::string text(line);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    (*g_lws_log)(LogLevel::debug,
                 std::string((level & LLL_ERR) != 0 ? "libwebsockets error: " : "libwebsockets: ") + text);
  } catch (const std::exception&) {  // a line less
  }
}

// So many descriptors may be in use, as far as new clients go; the rest is kept for the host: its own TCP, its files.
int descriptors_for_clients() {
  constexpr rlim_t kMostKept = 1024;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::numeric_limits<int>::max();
  const rlim_t most = std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max());
  return static_cast<int>(most - std::min(most / 4, kMostKept));
}

// May "it" be said, that was said last at `said_us`?
bool say_now(std::int64_t& said_us, Now now) {
  if (said_us != 0 && now.mono_us - said_us < kSayAgainUs) return false;
  said_us = now.mono_us;
  return true;
}

Format format_of(lws* wsi) {
  return static_cast<Format>(lws_get_protocol(wsi)->id);
}

static_assert(Frame::kHeadroom >= LWS_PRE);

// One frame in one send: what is over this is copied and sent piece by piece.
constexpr std::size_t kMostPerSend = 32 * 1024 * 1024;

constexpr lws_protocols protocol(const char* name, lws_callback_function* callback, Format format) {
  lws_protocols made{};
  made.name = name;
  made.callback = callback;
  made.rx_buffer_size = 16384;
  made.id = static_cast<unsigned>(format);
  made.tx_packet_size = kMostPerSend;
  return made;
}

// From [0, 1): to spread repetitions.
double random_share() {
  static std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

// Is the text well-formed, as far as it has come? `checked` bytes have been looked at and are whole characters.
// libwebsockets would look at it itself, but takes the payload of a pong for text too.
bool is_utf8(std::string_view text, std::size_t& checked, bool complete) {
  for (;;) {
    checked += plain_prefix(text.substr(checked));
    if (checked == text.size()) return true;
    const Utf8Character next = first_character(text.substr(checked));
    if (next.state != Utf8Character::State::whole) return next.state == Utf8Character::State::cut_off && !complete;
    checked += next.bytes;
  }
}

std::string peer_text(lws* wsi) {
  char peer[64] = "";
  lws_get_peer_simple(wsi, peer, sizeof peer);
  return peer;
}

}  // namespace

// The first one serves plain HTTP and clients without a subprotocol.
const lws_protocols Server::kProtocols[5] = {
    protocol("bindcast", &Server::callback, Format::plain),
    protocol("bindcast.v1.json", &Server::callback, Format::json),
    protocol("bindcast.v1.deflate", &Server::callback, Format::deflate),
    protocol("cloudevents.json", &Server::callback, Format::cloudevents),
    {},
};

Server::Server(uv_loop_t* loop, Hub& hub, Journal& journal, Log log, const Options& options,
               const std::string& state_dir)
    : loop_(loop),
      journal_(journal),
      log_(std::move(log)),
      passwords_(std::make_unique<Passwords>(loop, hub.faults())),
      identity_(options, state_dir, log_,
                {.emit = [this](Event&& event, Now now) { shared_.hub.emit(std::move(event), now); },
                 .check_password =
                     [this](std::string hash, std::string password, std::string origin, Passwords::Done done) {
                       return passwords_ && passwords_->check(std::move(hash), std::move(password), std::move(origin),
                                                              std::move(done));
                     },
                 .session_ended =
                     [this](std::uint64_t number, std::string_view why, Now now) {
                       each_session([&](Session& session) {
                         if (session.credential().session == number) session.end_login(why, now);
                       });
                     },
                 .done = [this](const Deed& deed, Now now) { audit_.done(deed, now); }}),
      roles_(options),
      audit_(hub),
      channels_(hub, options),
      webhooks_(loop, log_, hub.faults(),
                [this](const WebhookOutcome& outcome, Now now) { escalations_.webhook_told(outcome, now); }),
      escalations_(hub, options,
                   {.each_session = [this](const auto& visit) { each_session(visit); },
                    .post = [this](WebhookPost post, Now now) { return webhooks_.post(std::move(post), now); },
                    .cancel = [this](const std::string& id) { webhooks_.cancel(id); }},
                   random_share),
      publishing_(hub, roles_, options.publish),
      publish_turns_(loop, hub.faults()),
      publish_socket_(loop, log_, publishing_, publish_turns_, hub.faults()),
      publish_requests_(publishing_, publish_turns_, hub.faults()),
      history_(hub, journal),
      shared_{.hub = hub,
              .past = journal,
              .channels = channels_,
              .escalations = escalations_,
              .identity = identity_,
              .roles = roles_,
              .audit = audit_,
              .publishing = publishing_,
              .options = options,
              .status = [this](Now now) { return status(now); },
              .each_session = [this](const auto& visit) { each_session(visit); }},
      certificate_(log_) {
  uv_timer_init(loop_, &due_timer_);
  due_timer_.data = this;
  uv_prepare_init(loop_, &before_wait_);
  before_wait_.data = this;
}

Server::~Server() {
  if (dying_context_ != nullptr) lws_context_destroy(dying_context_);
  if (g_lws_log == &log_) g_lws_log = nullptr;
}

void Server::abandon() noexcept {
  if (g_lws_log == &log_) g_lws_log = nullptr;
}

void Server::start() {
  g_lws_log = &log_;
  lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
  if (!create_context()) {
    log_(LogLevel::error, "libwebsockets cannot start; there is no listener");
    return;
  }
  serve_endpoints();
  webhooks_.configure(shared_.options.retry);
  webhooks_.attach(context_);
  // What came up in this turn of the loop is handed over once, before the loop waits.
  uv_prepare_start(&before_wait_, [](uv_prepare_t* handle) {
    auto* server = static_cast<Server*>(handle->data);
    server->shared_.hub.faults().contain([&] { server->before_wait(read_clock()); });
  });
  for (const ListenAddress& address : shared_.options.server.listen)
    listeners_.push_back({.address = address, .acceptor = nullptr, .retry_at_us = 0, .fault = {}});
  open_due(read_clock());
  publish_socket_.tick(read_clock());
}

bool Server::create_context() {
  lws_context_creation_info info{};
  void* loops[] = {loop_};
  info.foreign_loops = loops;
  info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                 LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN |
                 LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;  // for the clients too (webhooks)
  certificate_.configure(shared_.options.server.tls);
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.user = this;
  info.gid = static_cast<gid_t>(-1);
  info.uid = static_cast<uid_t>(-1);
  info.count_threads = 1;
  // Not max_connections of now: that may be raised later, the table may not.
  info.fd_limit_per_thread = kMostSockets;
  info.timeout_secs = 10;  // of a request that does not get on
  info.keepalive_timeout = 10;
  info.max_http_header_data = 8192;
  // Made when needed, about 10 KB for each request under way. With fewer than there are sockets, a few that send
  // nothing would keep all others waiting.
  info.max_http_header_pool = kMostSockets;
  context_ = lws_create_context(&info);
  return context_ != nullptr;
}

bool Server::encrypts(const ListenAddress& address) const {
  return certificate_.wanted() && address.kind != ListenAddress::Kind::unix_path;
}

// Made when it is first needed and kept: libwebsockets 4.1 cannot end a vhost while it has connections. So it is not
// given the certificate: OpenSSL asks for the one in force at each handshake.
lws_vhost* Server::vhost_for(const ListenAddress& address) {
  const bool encrypted = encrypts(address);
  lws_vhost*& vhost = encrypted ? encrypted_ : plain_;
  if (vhost != nullptr) return vhost;
  lws_context_creation_info info{};
  info.vhost_name = encrypted ? "encrypted" : "plain";  // kept by reference
  info.protocols = kProtocols;
  info.port = encrypted ? CONTEXT_PORT_NO_LISTEN_SERVER : CONTEXT_PORT_NO_LISTEN;
  info.options = LWS_SERVER_OPTION_LIBUV;
  info.timeout_secs = 10;
  info.keepalive_timeout = 10;
  info.gid = static_cast<gid_t>(-1);
  info.uid = static_cast<uid_t>(-1);
  if (encrypted) {
    info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
    info.alpn = "http/1.1";
  }
  vhost = lws_create_vhost(context_, &info);
  return vhost;
}

void Server::open(Listener& listener, Now now) {
  const ListenAddress& address = listener.address;
  std::string fault;
  if (encrypts(address) && !certificate_.usable()) {
    fault = "server.tls: the certificate or its key cannot be used";
  } else if (vhost_for(address) == nullptr) {
    fault = "libwebsockets cannot serve it";
  } else {
    auto acceptor = std::make_unique<Acceptor>(loop_, [this, address](int fd) { accepted(fd, address); });
    fault = acceptor->open(address);
    if (fault.empty()) listener.acceptor = std::move(acceptor);
  }
  if (!fault.empty()) {
    listener.retry_at_us = now.mono_us + kListenRetryUs;
    if (listener.fault != fault)
      log_(LogLevel::error, "cannot listen on " + address.text() + ": " + fault + "; trying again every 5 seconds");
    listener.fault = std::move(fault);
    return;
  }
  log_(LogLevel::info, "listening on " + listener.acceptor->bound().text());
}

void Server::open_due(Now now) {
  for (Listener& listener : listeners_)
    if (!listener.acceptor && listener.retry_at_us <= now.mono_us) open(listener, now);
}

// libwebsockets takes the descriptor over, and closes it if it cannot.
void Server::accepted(int fd, const ListenAddress& address) {
  // Its place in the list first: once libwebsockets has it, nothing may fail.
  if (!shared_.hub.faults().contain([&] { handshaking_.push_back(nullptr); })) {
    turn_away(fd, "there is no memory for one more");
    return;
  }
  lws* wsi = nullptr;
  if (fd >= descriptors_for_clients())  // the kernel gives out the lowest that is free
    turn_away(fd, "named is left the last quarter of its descriptors (RLIMIT_NOFILE)");
  else if (!make_room_for_socket())
    turn_away(fd, kNoRoom);
  else
    wsi = lws_adopt_socket_vhost(vhost_for(address), fd);
  if (wsi == nullptr)
    handshaking_.pop_back();
  else
    handshaking_.back() = wsi;
}

void Server::turn_away(int fd, const char* why) {
  ::close(fd);
  ++turned_away_;
  turned_away_why_ = why;
}

// Who is quick about his handshake gets in, however many others are not: the slowest of them goes.
bool Server::make_room_for_socket() {
  const std::size_t most = shared_.options.server.max_connections + kSpareSockets;
  if (sockets_ < most) return true;
  if (handshaking_.size() < 2 || sockets_ >= most + kDyingSockets) return false;
  kill(handshaking_.front());
  handshaking_.erase(handshaking_.begin());
  ++turned_away_;
  turned_away_why_ = kNoRoom;
  return true;
}

// As above, of those that have not authenticated. They are not asked to close: they may take their time for that, too.
bool Server::make_room_for_session() {
  if (connections_.size() < shared_.options.server.max_connections) return true;
  ++turned_away_;
  turned_away_why_ = kNoRoom;
  std::erase_if(strangers_, [](const Connection* c) { return c->session->admitted(); });
  if (strangers_.empty()) return false;
  kill(strangers_.front()->wsi);
  strangers_.erase(strangers_.begin());
  return true;
}

void Server::tell_turned_away(Now now) {
  if (turned_away_ == turned_away_told_ || !say_now(turned_away_said_us_, now)) return;
  log_(LogLevel::warning,
       std::to_string(turned_away_ - std::exchange(turned_away_told_, turned_away_)) +
           " connections were turned away, or cut off before they authenticated: " + turned_away_why_);
}

void Server::resume_accepting(Now now) {
  for (const Listener& listener : listeners_) {
    if (!listener.acceptor || !listener.acceptor->paused()) continue;
    listener.acceptor->resume();
    if (say_now(starvation_said_us_, now))
      log_(LogLevel::warning, "there are no descriptors for new connections; trying again every second");
  }
}

void Server::apply(const Options& options) {
  shared_.options = options;
  roles_.configure(options);
  identity_.configure(options, read_clock());
  channels_.configure(options);
  webhooks_.configure(options.retry);
  escalations_.configure(options);
  const Now now = read_clock();
  publishing_.configure(options.publish);
  publish_socket_.tick(now);
  for (const auto& entry : connections_) entry.second->session->options_changed(now);
  if (context_ == nullptr) return;
  certificate_.configure(options.server.tls);

  const auto& wanted = options.server.listen;
  std::erase_if(listeners_, [&](const Listener& listener) {
    if (std::ranges::find(wanted, listener.address) != wanted.end()) return false;
    if (listener.acceptor) log_(LogLevel::info, "no longer listening on " + listener.acceptor->bound().text());
    return true;
  });
  for (const ListenAddress& address : wanted)
    if (std::ranges::find(listeners_, address, &Listener::address) == listeners_.end())
      listeners_.push_back({.address = address, .acceptor = nullptr, .retry_at_us = 0, .fault = {}});
  open_due(now);
}

// ── Connections ──────────────────────────────────────────────────────────────────────────────────────────────────────

int Server::callback(lws* wsi, lws_callback_reasons reason, void* user, void* in, std::size_t length) {
  auto* server = static_cast<Server*>(lws_context_user(lws_get_context(wsi)));
  if (server == nullptr) return 0;
  const auto connection = [&]() -> Connection* {
    const auto found = server->connections_.find(wsi);
    return found == server->connections_.end() ? nullptr : found->second.get();
  };
  int answer = 0;
  // A connection whose work ends by an exception ends with it.
  const bool done = server->shared_.hub.faults().contain([&] {
    switch (reason) {
      case LWS_CALLBACK_WSI_CREATE:
        ++server->sockets_;
        break;
      case LWS_CALLBACK_WSI_DESTROY:
        --server->sockets_;
        std::erase(server->handshaking_, wsi);
        server->exchanges_.gone(wsi);
        break;
      case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:  // a vhost with TLS is being made
        server->certificate_.serve(static_cast<SSL_CTX*>(user));
        break;
      case LWS_CALLBACK_HTTP:
        answer = server->exchanges_.begin(wsi, {static_cast<const char*>(in), length}, read_clock());
        break;
      case LWS_CALLBACK_HTTP_BODY:
        answer = server->exchanges_.body(wsi, {static_cast<const char*>(in), length});
        break;
      case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        answer = server->exchanges_.body_complete(wsi, read_clock());
        break;
      case LWS_CALLBACK_HTTP_WRITEABLE:
        answer = server->exchanges_.writeable(wsi);
        break;
      case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        // `in` is not read here: on an unknown Upgrade it may point at memory that is gone.
        answer = server->confirm_upgrade(wsi);
        break;
      case LWS_CALLBACK_ESTABLISHED:
        server->established(wsi, read_clock());
        break;
      case LWS_CALLBACK_RECEIVE:
        if (Connection* c = connection()) {
          server->received(*c, {static_cast<const char*>(in), length}, read_clock());
          // An endless message: to go on reading it until a close frame is answered would be what it wants.
          if (c->discarded > kMostDiscarded) answer = -1;
        }
        break;
      case LWS_CALLBACK_RECEIVE_PONG:
        if (Connection* c = connection()) c->heard_us = read_clock().mono_us;
        break;
      case LWS_CALLBACK_SERVER_WRITEABLE:
        if (Connection* c = connection()) answer = server->writeable(*c, read_clock());
        break;
      case LWS_CALLBACK_TIMER:
        if (const Connection* c = connection(); c != nullptr && c->close_sent) answer = -1;
        break;
      case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        if (Connection* c = connection(); c != nullptr && length >= 2) {
          const auto* code = static_cast<const unsigned char*>(in);
          c->peer_code = code[0] << 8 | code[1];
        }
        break;
      case LWS_CALLBACK_CLOSED:
        server->closed(wsi, read_clock());
        break;
      default:
        break;
    }
  });
  return done ? answer : -1;
}

void Server::established(lws* wsi, Now now) {
  auto connection = std::make_unique<Connection>();
  connection->wsi = wsi;
  connection->heard_us = now.mono_us;
  connection->session =
      std::make_unique<Session>(shared_, peer_text(wsi), format_of(wsi), [this, c = connection.get()] { ready(*c); });
  Session& session = *connection->session;
  std::erase(handshaking_, wsi);
  const bool full = !make_room_for_session();
  ready_.reserve(connections_.size() + 1);
  Connection& entered = *connections_.emplace(wsi, std::move(connection)).first->second;
  if (shutting_down_) {
    session.close(kGoingAway, "going away");
  } else if (full) {
    session.close(kTryAgainLater, "the server is full");
  } else {
    session.open(offered_by_handshake(wsi), now);
  }
  if (!session.admitted()) strangers_.push_back(&entered);
}

void Server::received(Connection& connection, std::string_view part, Now now) {
  connection.heard_us = now.mono_us;
  lws* wsi = connection.wsi;
  if (lws_is_first_fragment(wsi) != 0) {
    connection.incoming.clear();
    connection.checked = 0;
    connection.discarding = false;
    connection.discarded = 0;
    if (lws_frame_is_binary(wsi) != 0) {
      connection.discarding = true;
      connection.session->offend("INVALID_MESSAGE", "messages are text, not binary", now);
    }
  }
  if (!connection.discarding && connection.incoming.size() + part.size() > shared_.options.server.max_message_bytes) {
    connection.discarding = true;
    connection.incoming = {};
    connection.session->offend(
        "TOO_LARGE", "longer than " + std::to_string(shared_.options.server.max_message_bytes) + " bytes", now);
  }
  if (connection.discarding)
    connection.discarded += part.size();
  else
    connection.incoming.append(part);
  const bool complete = lws_is_final_fragment(wsi) != 0 && lws_remaining_packet_payload(wsi) == 0;
  if (!connection.discarding && !is_utf8(connection.incoming, connection.checked, complete)) {
    connection.discarding = true;
    connection.incoming = {};
    connection.session->close(kNotUtf8, "a text message must be UTF-8");
  }
  if (complete && !connection.discarding) connection.session->receive(std::exchange(connection.incoming, {}), now);
}

void Server::ready(Connection& connection) {
  if (std::exchange(connection.ready, true)) return;
  ready_.push_back(&connection);
}

int Server::writeable(Connection& connection, Now now) {
  lws* wsi = connection.wsi;
  if (connection.close_sent) return 0;
  if (connection.ping_due) {
    connection.ping_due = false;
    ready(connection);
    std::array<unsigned char, LWS_PRE + 1> ping{};
    return lws_write(wsi, ping.data() + LWS_PRE, 1, LWS_WRITE_PING) < 0 ? -1 : 0;
  }
  Session& session = *connection.session;
  // Several messages while the socket takes them: one for each turn of the loop would bound a client's rate by the
  // loop's.
  for (std::size_t bytes = 0;;) {
    if (!session.due(now)) {
      // The close waits for the next turn: by then all is written.
      if (session.close_order()) bytes > 0 ? ready(connection) : begin_close(connection);
      return 0;
    }
    if (bytes >= kBytesPerTurn || (bytes > 0 && lws_send_pipe_choked(wsi) != 0)) {
      ready(connection);
      return 0;
    }
    connection.writing = session.next(now);
    if (!connection.writing) return 0;
    const Frame& frame = *connection.writing;
    bytes += std::max<std::size_t>(frame.size, 1);
    if (lws_write(wsi, frame.payload, frame.size, frame.binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT) < 0) return -1;
  }
}

// libwebsockets 4.1 takes -1 from a WRITEABLE callback for a dead socket, and then sends no close frame, whatever
// lws_close_reason said. From a TIMER callback it does, so the connection is ended there.
void Server::begin_close(Connection& connection) {
  const CloseOrder& order = *connection.session->close_order();
  std::string reason = order.reason.substr(0, 120);  // a control frame holds 125 bytes
  lws_close_reason(connection.wsi, static_cast<lws_close_status>(order.code),
                   reinterpret_cast<unsigned char*>(reason.data()), reason.size());
  connection.close_sent = true;
  lws_set_timer_usecs(connection.wsi, 1);
}

void Server::closed(lws* wsi, Now now) {
  const auto found = connections_.find(wsi);
  if (found == connections_.end()) return;
  const std::unique_ptr<Connection> gone = std::move(found->second);
  connections_.erase(found);
  gone->ready = true;  // it must not enter ready_ again
  std::erase(ready_, gone.get());
  std::erase(strangers_, gone.get());
  constexpr int kNoCloseFrame = 1006;
  const auto& order = gone->session->close_order();
  if (order) {
    gone->session->closed(order->code, order->reason, now);
  } else {
    gone->session->closed(gone->peer_code != 0 ? gone->peer_code : kNoCloseFrame, "", now);
  }
}

void Server::each_session(const std::function<void(Session&)>& visit) {
  for (const auto& entry : connections_)
    if (entry.second->session->admitted()) visit(*entry.second->session);
}

// Clients whose accounts are broken by an exception: they know that they have missed something, and come again.
void Server::end_failed() {
  for (const auto& entry : connections_) {
    Session& session = *entry.second->session;
    if (session.failed() && !shared_.hub.faults().contain([&] {
          session.close(kTryAgainLater, "the server has no memory for what was meant for this client");
        }))
      kill(entry.second->wsi);
  }
}

// Hands over what has become due, asks for a WRITEABLE wherever something may be written, and sets the timer for what
// is due next.
void Server::before_wait(Now now) {
  shared_.hub.faults().contain([&] { escalations_.run(now); });
  shared_.hub.faults().contain([&] { publishing_.run(now); });
  shared_.hub.faults().contain([&] { channels_.run(now); });
  if (std::exchange(channels_.queues().failed, false)) end_failed();
  for (Connection* connection : ready_) {
    connection->ready = false;
    if (!connection->close_sent) lws_callback_on_writable(connection->wsi);
  }
  ready_.clear();
  std::int64_t due = 0;
  for (const std::int64_t one : {channels_.due_us(), escalations_.due_us(), publishing_.due_us()})
    if (one != 0 && (due == 0 || one < due)) due = one;
  set_due_timer(due, now);
}

void Server::set_due_timer(std::int64_t due, Now now) {
  if (due == due_timer_at_us_) return;
  due_timer_at_us_ = due;
  if (due == 0) {
    uv_timer_stop(&due_timer_);
    return;
  }
  uv_update_time(loop_);
  // It only ends the wait.
  uv_timer_start(
      &due_timer_, [](uv_timer_t* timer) { static_cast<Server*>(timer->data)->due_timer_at_us_ = 0; },
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, due - now.mono_us) / 1000 + 1), 0);
}

void Server::tick(Now now) {
  g_lws_lines.store(0, std::memory_order_relaxed);
  if (context_ == nullptr || shutting_down_) return;
  Faults& faults = shared_.hub.faults();
  faults.contain([&] { identity_.tick(now); });
  faults.contain([&] { audit_.tick(now); });
  faults.contain([&] { certificate_.tick(); });
  faults.contain([&] { escalations_.tick(now); });
  faults.contain([&] { publishing_.tick(now); });
  faults.contain([&] { publish_socket_.tick(now); });
  faults.contain([&] { open_due(now); });
  faults.contain([&] { resume_accepting(now); });
  faults.contain([&] { tell_turned_away(now); });
  faults.contain([&] { exchanges_.tick(now); });
  std::erase_if(strangers_, [](const Connection* c) { return c->session->admitted(); });
  for (const auto& entry : connections_)
    if (!faults.contain([&] { tick(*entry.second, now); })) kill(entry.second->wsi);
}

void Server::tick(Connection& connection, Now now) {
  connection.session->tick(now);
  const std::int64_t heartbeat = shared_.options.server.heartbeat.count();
  const std::int64_t silent = now.mono_us - connection.heard_us;
  if (connection.session->close_order()) {
    if (connection.closing_since_us == 0) connection.closing_since_us = now.mono_us;
    if (now.mono_us - connection.closing_since_us >= std::int64_t{kCloseBoundSeconds} * 1'000'000) kill(connection.wsi);
  } else if (silent >= 2 * heartbeat) {
    log_(LogLevel::info, "a client does not answer pings and is dropped");
    kill(connection.wsi);
  } else if (silent >= heartbeat) {
    connection.ping_due = true;
    ready(connection);
  }
}

// At once, without a close frame, whether the socket can be written to or not.
void Server::kill(lws* wsi) {
  lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
  // Set from outside of its callbacks, a timeout is seen by libwebsockets only when something else wakes it.
  lws_cancel_service(context_);
}

void Server::end_publishing(Now now) {
  Faults& faults = shared_.hub.faults();
  faults.contain([&] { publish_socket_.stop(); });
  publish_turns_.finish_all(now);
  faults.contain([&] { publishing_.stop(now); });
}

void Server::begin_shutdown() {
  shutting_down_ = true;
  listeners_.clear();
  shared_.hub.faults().contain([&] { audit_.tick(read_clock(), true); });
  channels_.flush(read_clock());
  for (const auto& entry : connections_) {
    // What the client is owed goes out first: next() is asked before the close.
    entry.second->session->flush();
    shared_.hub.faults().contain([&] { entry.second->session->close(kGoingAway, "going away"); });
  }
}

void Server::finish() {
  if (std::exchange(finished_, true)) return;
  webhooks_.stop();
  publish_socket_.close();
  publish_turns_.close();
  passwords_.reset();
  uv_close(reinterpret_cast<uv_handle_t*>(&due_timer_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&before_wait_), nullptr);
  listeners_.clear();
  // With a foreign libuv loop this only begins: the handles close on the loop, and a second call frees the context.
  dying_context_ = std::exchange(context_, nullptr);
  if (dying_context_ != nullptr) lws_context_destroy(dying_context_);
}

}  // namespace bindcast
