// The WebSocket connections: what libwebsockets tells of them, and what is written to them.

#include <algorithm>
#include <array>
#include <utility>

#include "events/plain_text.hpp"
#include "events/utf8.hpp"
#include "plugin/server/server.hpp"

namespace bindcast {

namespace {

constexpr int kCloseBoundSeconds = 2;                // a peer that does not take or answer its close frame is cut off
constexpr std::size_t kBytesPerTurn = 512 * 1024;    // to one client, before the others get their turn
constexpr std::size_t kMostDiscarded = 1024 * 1024;  // of one message that was too large; then the peer is cut off

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

}  // namespace bindcast
