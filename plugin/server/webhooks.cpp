#include "plugin/server/webhooks.hpp"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include "config/webhook_url.hpp"
#include "plugin/delivery/backoff.hpp"
#include "plugin/server/webhook_signature.hpp"
#include "plugin/version.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMostAnswerBytes = 4096;  // of a body that nobody reads; then the connection ends
constexpr std::size_t kMostIdBytes = 128;
constexpr std::uint64_t kSoonMs = 1;  // 0 would run again in the same turn of the loop, and hold it up
constexpr std::uint64_t kAfterFaultMs = 1000;
constexpr int kGone = 410;

bool is_success(int status) {
  return status >= 200 && status <= 299;
}

// It goes into a header.
bool is_id(const std::string& id) {
  return !id.empty() && id.size() <= kMostIdBytes &&
         std::ranges::all_of(id, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

std::function<double()> random_by_chance() {
  return [engine = std::mt19937_64(std::random_device{}())]() mutable {
    return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
  };
}

std::vector<uv_handle_t*> poll_handles(uv_loop_t* loop) {
  std::vector<uv_handle_t*> handles;
  uv_walk(
      loop,
      [](uv_handle_t* handle, void* list) {
        if (uv_handle_get_type(handle) == UV_POLL) static_cast<std::vector<uv_handle_t*>*>(list)->push_back(handle);
      },
      &handles);
  return handles;
}

// When connect() fails at once (no route), libwebsockets 4.1 forgets the libuv handle that it has made, and the loop
// could never be closed. Nobody refers to such a handle any more.
void close_forgotten_handles(uv_loop_t* loop, const std::vector<uv_handle_t*>& before) {
  const std::unordered_set<uv_handle_t*> known(before.begin(), before.end());
  for (uv_handle_t* handle : poll_handles(loop))
    if (!known.contains(handle) && uv_is_active(handle) == 0 && uv_is_closing(handle) == 0)
      uv_close(handle, [](uv_handle_t* closed) { free(closed); });  // from libwebsockets' realloc
}

}  // namespace

// One post, and its attempt under way.
struct Webhooks::Delivery {
  enum class Stage : std::uint8_t { waiting, looking_up, in_flight };

  Delivery(Webhooks& by, WebhookPost what) : owner(by), post(std::move(what)) {}

  Webhooks& owner;
  WebhookPost post;
  WebhookUrl url;
  Stage stage = Stage::waiting;
  bool hopeless = false;  // the URL or the id is no good
  bool done = false;      // settled for the last time
  bool sent = false;      // the body, or a part of it, by any attempt
  std::uint32_t attempt = 0;
  std::int64_t due_us = 0;  // waiting: of the next attempt; else: the end of this one's time

  // Of the attempt:
  std::vector<std::pair<const char*, std::string>> headers;
  lws* wsi = nullptr;
  bool closed = false;     // by libwebsockets
  bool connected = false;  // TCP
  bool asking = false;     // the peer is the right one, and the request goes out
  bool body_sent = false;
  bool ended = false;  // turn() settles it
  int status = 0;
  std::size_t answer_bytes = 0;
  std::string fault;

  void end(std::string why = {}) {
    if (fault.empty()) fault = std::move(why);
    ended = true;
    owner.wake();
  }
  [[nodiscard]] bool is_host_of(X509* certificate) const;
  [[nodiscard]] std::string why_closed(lws* from) const;
  int write_head(lws* to, unsigned char** at, std::size_t room);
  int write_body(lws* to);
  int read_answer(lws* from);
  void on_closed(lws* from);
  void drop();
};

// libwebsockets compares names as well, but cuts them at 127 bytes and IPv6 addresses at their first colon.
bool Webhooks::Delivery::is_host_of(X509* certificate) const {
  if (certificate == nullptr) return false;
  if (url.is_address) return X509_check_ip_asc(certificate, url.host.c_str(), 0) == 1;
  return X509_check_host(certificate, url.host.data(), url.host.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                         nullptr) == 1;
}

// Called when the connection stands, before anything is sent. Not zero: nothing is.
int Webhooks::Delivery::write_head(lws* to, unsigned char** at, std::size_t room) {
  if (url.encrypted) {
    const SSL* ssl = lws_get_ssl(to);
    if (ssl == nullptr || SSL_get_verify_result(ssl) != X509_V_OK || !is_host_of(SSL_get0_peer_certificate(ssl))) {
      end("TLS: the certificate is not this host's");
      return -1;
    }
  }
  asking = true;
  unsigned char* const limit = *at + room;
  for (const auto& [name, value] : headers) {
    if (lws_add_http_header_by_name(to, reinterpret_cast<const unsigned char*>(name),
                                    reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), at, limit) != 0) {
      end("the request's head has no room");
      return -1;
    }
  }
  if (!post.body.empty()) lws_client_http_body_pending(to, 1);
  return 0;
}

// All at once: libwebsockets keeps what the socket does not take. While it waits for more of a body it does not read,
// and a receiver that answers early would keep the loop turning.
int Webhooks::Delivery::write_body(lws* to) {
  std::vector<unsigned char> bytes(LWS_PRE + post.body.size());
  std::memcpy(bytes.data() + LWS_PRE, post.body.data(), post.body.size());
  body_sent = sent = true;
  lws_client_http_body_pending(to, 0);
  return lws_write(to, bytes.data() + LWS_PRE, post.body.size(), LWS_WRITE_HTTP_FINAL) < 0 ? -1 : 0;
}

int Webhooks::Delivery::read_answer(lws* from) {
  std::array<char, LWS_PRE + 1024> room;
  char* at = room.data() + LWS_PRE;
  int size = static_cast<int>(room.size() - LWS_PRE);
  return lws_http_client_read(from, &at, &size) < 0 ? -1 : 0;
}

std::string Webhooks::Delivery::why_closed(lws* from) const {
  if (!connected) {
    int error = 0;
    socklen_t size = sizeof error;
    const int fd = lws_get_socket_fd(from);
    if (fd >= 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return "cannot connect" + (error == 0 ? "" : ": " + std::generic_category().message(error));
  }
  if (asking) return "the connection ended without an HTTP answer";
  const SSL* ssl = lws_get_ssl(from);
  const long verdict = ssl == nullptr ? X509_V_OK : SSL_get_verify_result(ssl);
  if (verdict == X509_V_OK) return "TLS: the handshake failed";
  return std::string("TLS: the certificate is refused: ") + X509_verify_cert_error_string(verdict);
}

void Webhooks::Delivery::on_closed(lws* from) {
  lws_set_opaque_user_data(from, nullptr);
  wsi = nullptr;
  closed = true;
  end(why_closed(from));
}

// No callback refers to this delivery any more.
void Webhooks::Delivery::drop() {
  if (wsi == nullptr) return;
  lws* const dropped = std::exchange(wsi, nullptr);
  lws_set_opaque_user_data(dropped, nullptr);
  // Without a socket it waits for memory for its headers. libwebsockets 4.1 miscounts connections that are closed then:
  // it is let come that far, and ends in the first callback.
  if (lws_get_socket_fd(dropped) >= 0) lws_set_timeout(dropped, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

const lws_protocols Webhooks::kProtocols[] = {
    {"webhook", &Webhooks::callback, 0, 4096, 0, nullptr, 0},
    {nullptr, nullptr, 0, 0, 0, nullptr, 0},
};

Webhooks::Webhooks(uv_loop_t* loop, Log log, Faults& faults, Told told, Means means)
    : loop_(loop),
      log_(std::move(log)),
      faults_(faults),
      told_(std::move(told)),
      limits_(means.limits),
      random_(means.random ? std::move(means.random) : random_by_chance()),
      lookup_(std::make_unique<NameLookup>(
          loop,
          [this](const std::string& name, const NameAnswer& answer) {
            // Whoever did not get it runs out of time and asks again.
            if (!faults_.contain([&] { found(name, answer, read_clock()); })) wake();
          },
          std::move(means.resolve))),
      timer_(new uv_timer_t) {
  uv_timer_init(loop_, timer_);
  timer_->data = this;
}

Webhooks::~Webhooks() {
  stop();
}

void Webhooks::attach(lws_context* context) {
  context_ = context;
}

bool Webhooks::post(WebhookPost post, Now now) {
  if (stopped_ || deliveries_.size() >= limits_.max_posts || post.body.size() > limits_.max_body_bytes - body_bytes_) {
    ++counters_.refused;
    return false;
  }
  ++counters_.accepted;
  body_bytes_ += post.body.size();
  deliveries_.push_back(std::make_unique<Delivery>(*this, std::move(post)));
  Delivery& delivery = *deliveries_.back();
  delivery.due_us = now.mono_us;
  std::string fault = parse_webhook_url(delivery.post.url, delivery.url);
  if (fault.empty() && !is_id(delivery.post.id)) fault = "the delivery's id does not fit into a header";
  if (!fault.empty()) {
    delivery.hopeless = true;
    delivery.stage = Delivery::Stage::in_flight;
    delivery.end(std::move(fault));
  }
  wake();
  return true;
}

bool Webhooks::cancel(const std::string& id) {
  bool unknown = false;
  std::erase_if(untold_, [&](const WebhookOutcome& outcome) { return outcome.id == id; });
  std::erase_if(deliveries_, [&](const std::unique_ptr<Delivery>& delivery) {
    if (delivery->post.id != id) return false;
    ++counters_.cancelled;
    unknown = !delivery->sent;
    body_bytes_ -= delivery->post.body.size();
    delivery->drop();
    return true;
  });
  if (!stopped_) wake();
  return unknown;
}

void Webhooks::stop() {
  if (std::exchange(stopped_, true)) return;
  for (const auto& delivery : deliveries_) delivery->drop();
  deliveries_.clear();
  untold_.clear();
  lookup_.reset();
  timer_->data = nullptr;
  uv_timer_stop(timer_);
  uv_close(reinterpret_cast<uv_handle_t*>(timer_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
}

// ── The loop's turns ─────────────────────────────────────────────────────────────────────────────────────────────────

void Webhooks::wake() {
  if (!stopped_) start_timer(kSoonMs);
}

void Webhooks::turn(Now now) {
  for (const auto& delivery : deliveries_) {
    if (delivery->stage == Delivery::Stage::waiting) continue;
    if (!delivery->ended && delivery->due_us <= now.mono_us)
      delivery->end(delivery->stage == Delivery::Stage::looking_up ? "the name lookup takes too long"
                    : !delivery->connected                         ? "cannot connect: no answer in time"
                                                                   : "no answer in time");
    if (delivery->ended) settle(*delivery, now);
  }
  std::erase_if(deliveries_, [](const std::unique_ptr<Delivery>& delivery) { return delivery->done; });

  // Whoever is told may post, cancel or stop.
  while (!untold_.empty()) {
    const WebhookOutcome outcome = std::move(untold_.front());
    untold_.pop_front();
    told_(outcome, now);
  }
  if (stopped_) return;

  auto busy = std::ranges::count_if(deliveries_, [](const auto& d) { return d->stage != Delivery::Stage::waiting; });
  for (const auto& delivery : deliveries_) {
    if (static_cast<std::size_t>(busy) >= limits_.max_in_flight) break;
    if (delivery->stage != Delivery::Stage::waiting || delivery->due_us > now.mono_us) continue;
    ++busy;
    begin(*delivery, now);
  }
  schedule(static_cast<std::size_t>(busy) < limits_.max_in_flight, now);
}

// Sets the timer for what is due next; those that wait for their turn only count when one could begin.
void Webhooks::schedule(bool room, Now now) {
  std::int64_t next = -1;
  for (const auto& delivery : deliveries_) {
    if (delivery->stage == Delivery::Stage::waiting && !room) continue;
    const std::int64_t due = delivery->ended ? now.mono_us : delivery->due_us;  // an attempt may end where it begins
    if (next < 0 || due < next) next = due;
  }
  if (next < 0)
    uv_timer_stop(timer_);
  else
    start_timer(next <= now.mono_us ? kSoonMs : static_cast<std::uint64_t>((next - now.mono_us) / 1000 + 1));
}

void Webhooks::start_timer(std::uint64_t ms) {
  uv_update_time(loop_);
  uv_timer_start(
      timer_,
      [](uv_timer_t* timer) {
        if (timer->data == nullptr) return;
        auto* webhooks = static_cast<Webhooks*>(timer->data);
        if (!webhooks->faults_.contain([&] { webhooks->turn(read_clock()); })) webhooks->start_timer(kAfterFaultMs);
      },
      ms, 0);
}

void Webhooks::settle(Delivery& delivery, Now now) {
  delivery.drop();
  delivery.ended = false;
  if (delivery.status != 0)
    delivery.fault = is_success(delivery.status) ? "" : "answered " + std::to_string(delivery.status);
  WebhookOutcome outcome{.id = delivery.post.id,
                         .target = delivery.hopeless ? "" : delivery.url.target(),
                         .attempt = delivery.attempt,
                         .status = delivery.status,
                         .fault = delivery.fault,
                         .delivered = is_success(delivery.status)};
  outcome.final =
      outcome.delivered || outcome.status == kGone || delivery.hopeless || delivery.attempt > retry_.attempts;
  if (!outcome.delivered)
    log_(LogLevel::debug,
         "webhook to " + outcome.target + ", attempt " + std::to_string(outcome.attempt) + ": " + outcome.fault);
  if (outcome.final) {
    ++(outcome.delivered ? counters_.delivered : counters_.failed);
    body_bytes_ -= delivery.post.body.size();
    delivery.done = true;
  } else {
    delivery.stage = Delivery::Stage::waiting;
    delivery.due_us = now.mono_us + backoff_us(retry_, delivery.attempt, random_());
  }
  untold_.push_back(std::move(outcome));
}

// ── An attempt ───────────────────────────────────────────────────────────────────────────────────────────────────────

void Webhooks::begin(Delivery& delivery, Now now) {
  ++counters_.attempts;
  ++delivery.attempt;
  delivery.due_us = now.mono_us + limits_.attempt_us;
  delivery.closed = delivery.connected = delivery.asking = delivery.body_sent = delivery.ended = false;
  delivery.status = 0;
  delivery.answer_bytes = 0;
  delivery.fault.clear();
  if (delivery.url.is_address) {
    connect(delivery, delivery.url.host, now);
  } else {
    delivery.stage = Delivery::Stage::looking_up;
    look_up_next();
  }
}

void Webhooks::look_up_next() {
  for (const auto& delivery : deliveries_) {
    if (lookup_->busy()) return;
    if (delivery->stage != Delivery::Stage::looking_up || delivery->ended) continue;
    if (!lookup_->start(delivery->url.host)) delivery->end("name lookup: there is no thread to be had");
  }
}

void Webhooks::found(const std::string& name, const NameAnswer& answer, Now now) {
  for (const auto& delivery : deliveries_) {
    if (delivery->stage != Delivery::Stage::looking_up || delivery->ended || delivery->url.host != name) continue;
    if (answer.addresses.empty())
      delivery->end("name lookup: " + answer.fault);
    else  // each attempt tries the next one
      connect(*delivery, answer.addresses[(delivery->attempt - 1) % answer.addresses.size()], now);
  }
  look_up_next();
}

std::string Webhooks::prepare(Delivery& delivery, Now now) {
  const std::int64_t seconds = now.wall_us / 1'000'000;
  delivery.headers = {{"content-type:", "application/json"},
                      {"content-length:", std::to_string(delivery.post.body.size())},
                      {"user-agent:", "bindcast/" + std::string(kVersion)},
                      {"webhook-id:", delivery.post.id},
                      {"webhook-timestamp:", std::to_string(seconds)}};
  if (!delivery.post.secret_file.empty()) {
    WebhookSecret secret;
    if (std::string fault = secret.read(delivery.post.secret_file); !fault.empty()) return fault;
    delivery.headers.emplace_back("webhook-signature:", secret.sign(delivery.post.id, seconds, delivery.post.body));
  }
  return vhost_ == nullptr ? create_vhost() : "";
}

// A vhost of our own, so that nothing of the server's is asked about what happens here. The TLS context is ours as
// well: the one that libwebsockets would make trusts certificates in "../share", seen from wherever the host runs.
std::string Webhooks::create_vhost() {
  if (context_ == nullptr) return "the network is not up";
  tls_.reset(SSL_CTX_new(TLS_client_method()));
  if (!tls_ || SSL_CTX_set_default_verify_paths(tls_.get()) != 1) return "TLS cannot be set up";
  SSL_CTX_set_min_proto_version(tls_.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(tls_.get(), SSL_VERIFY_PEER, nullptr);
  lws_context_creation_info info{};
  info.vhost_name = "webhooks";  // kept by reference
  info.protocols = kProtocols;
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
  info.provided_client_ssl_ctx = tls_.get();
  info.http_proxy_address = "";  // otherwise the environment's http_proxy is used
  info.gid = static_cast<gid_t>(-1);
  info.uid = static_cast<uid_t>(-1);
  vhost_ = lws_create_vhost(context_, &info);
  return vhost_ == nullptr ? "libwebsockets cannot make a vhost" : "";
}

void Webhooks::connect(Delivery& delivery, const std::string& address, Now now) {
  delivery.stage = Delivery::Stage::in_flight;
  if (std::string fault = prepare(delivery, now); !fault.empty()) {
    delivery.end(std::move(fault));
    return;
  }
  lws_client_connect_info info{};
  info.context = context_;
  info.vhost = vhost_;
  info.address = address.c_str();  // a literal: a name would be looked up here and now
  info.port = delivery.url.port;
  info.host = delivery.url.authority.c_str();
  info.path = delivery.url.path.c_str();
  info.method = "POST";
  info.alpn = "http/1.1";
  info.local_protocol_name = kProtocols[0].name;
  info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
  if (delivery.url.encrypted) {
    info.ssl_connection |= LCCSCF_USE_SSL;
    // Its comparison fails for every IPv6 address; ours follows (write_head).
    if (delivery.url.authority.starts_with('[')) info.ssl_connection |= LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
  }
  info.opaque_user_data = &delivery;
  const std::vector<uv_handle_t*> before = poll_handles(loop_);
  errno = 0;
  lws* const wsi = lws_client_connect_via_info(&info);
  const int error = errno;
  if (wsi == nullptr) {
    close_forgotten_handles(loop_, before);
    if (!delivery.ended)
      delivery.end("cannot connect" + (error == 0 ? "" : ": " + std::generic_category().message(error)));
  } else if (!delivery.closed) {
    delivery.wsi = wsi;
  }
}

int Webhooks::callback(lws* wsi, lws_callback_reasons reason, void*, void* in, std::size_t length) {
  switch (reason) {
    case LWS_CALLBACK_WSI_CREATE:
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
    case LWS_CALLBACK_CLIENT_HTTP_WRITEABLE:
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP:
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
    case LWS_CALLBACK_COMPLETED_CLIENT_HTTP:
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
    case LWS_CALLBACK_WSI_DESTROY:
      break;
    default:
      return 0;  // of the vhost, or without a connection
  }
  auto* delivery = static_cast<Delivery*>(lws_get_opaque_user_data(wsi));
  if (delivery == nullptr) return -1;
  int answer = 0;
  const bool done = delivery->owner.faults_.contain([&] {
    switch (reason) {
      case LWS_CALLBACK_WSI_CREATE:
        delivery->connected = true;
        break;
      case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        answer = delivery->write_head(wsi, static_cast<unsigned char**>(in), length);
        break;
      case LWS_CALLBACK_CLIENT_HTTP_WRITEABLE:
        answer = delivery->asking && !delivery->body_sent ? delivery->write_body(wsi) : 0;
        break;
      case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
        delivery->status = static_cast<int>(lws_http_client_http_response(wsi));
        if (delivery->status == 0) delivery->end("the answer is not HTTP");
        break;
      case LWS_CALLBACK_RECEIVE_CLIENT_HTTP:
        answer = delivery->read_answer(wsi);
        break;
      case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
        delivery->answer_bytes += length;
        if (delivery->answer_bytes > kMostAnswerBytes) delivery->end();
        break;
      case LWS_CALLBACK_COMPLETED_CLIENT_HTTP:
        delivery->end();
        break;
      default:
        delivery->on_closed(wsi);
        break;
    }
  });
  return done ? answer : -1;
}

}  // namespace bindcast
