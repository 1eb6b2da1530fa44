// How connections come in: the listeners, and who finds room.

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "plugin/delivery/backoff.hpp"
#include "plugin/server/server.hpp"

namespace bindcast {

namespace {

constexpr std::int64_t kMostListenRetryUs = 30'000'000;
constexpr unsigned kSpareSockets = 64;  // beyond max_connections, for handshakes and plain requests
constexpr unsigned kDyingSockets = Acceptor::kAcceptsPerTurn;  // those killed in a turn are gone in the next
constexpr unsigned kMostConnections = 10'000;                  // as server.max_connections allows
constexpr unsigned kMostSockets = kMostConnections + kSpareSockets + kDyingSockets;
constexpr std::int64_t kSayAgainUs = 60'000'000;  // what goes on and on
constexpr const char* kNoRoom = "there is no room (server.max_connections)";

// One listener is nobody's herd: nothing is left to chance.
std::int64_t listen_retry_us(std::uint32_t attempt) {
  RetryOptions retry;
  retry.max = Microseconds(kMostListenRetryUs);
  return backoff_us(retry, attempt, 1);
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

}  // namespace

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
    listener.retry_at_us = now.mono_us + listen_retry_us(++listener.attempts);
    if (listener.fault != fault)
      log_(LogLevel::error,
           "cannot listen on " + address.text() + ": " + fault + "; trying again, every 30 seconds in the end");
    listener.fault = std::move(fault);
    return;
  }
  listener.attempts = 0;
  listener.fault.clear();
  log_(LogLevel::info, "listening on " + listener.acceptor->bound().text());
}

void Server::open_due(Now now) {
  for (Listener& listener : listeners_)
    if (!listener.acceptor && listener.retry_at_us <= now.mono_us) open(listener, now);
}

// Without any listener nobody is served.
void Server::report_listeners(Now now) {
  std::size_t failing = 0;
  std::string reason;
  RecoveryAttempts attempts;
  for (const Listener& listener : listeners_) {
    if (listener.acceptor && !listener.acceptor->paused()) continue;
    reason += (reason.empty() ? "" : "; ") + listener.address.text() + ": " +
              (listener.acceptor ? "there are no descriptors for new connections" : listener.fault);
    if (listener.acceptor) continue;
    ++failing;
    attempts.count = std::max(attempts.count, listener.attempts);
    if (attempts.next_us == 0 || listener.retry_at_us < attempts.next_us) attempts.next_us = listener.retry_at_us;
  }
  const HealthState state = failing == listeners_.size() ? HealthState::unhealthy
                            : reason.empty()             ? HealthState::healthy
                                                         : HealthState::degraded;
  health_.report("listener", state, reason, now, attempts);
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

}  // namespace bindcast
