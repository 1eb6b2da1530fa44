#include "tool/network.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

#include "plugin/version.hpp"
#include "tool/failure.hpp"

namespace bindcast::tool {

namespace {

constexpr lws_usec_t kLongestTurnUs = 100'000;

volatile std::sig_atomic_t g_interrupted = 0;

using Clock = std::chrono::steady_clock;

bool is_address(const std::string& host) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 || inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

// Every address of a name, in the system's order. Throws Failure.
std::deque<std::string> addresses_of(const std::string& host) {
  if (is_address(host)) return {host};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int fault = getaddrinfo(host.c_str(), nullptr, &hints, &list); fault != 0)
    throw Failure(Exit::unreachable, host + ": " + gai_strerror(fault));
  std::deque<std::string> addresses;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      addresses.emplace_back(text);
  }
  freeaddrinfo(list);
  return addresses;
}

// libwebsockets compares names as well, but cuts them at 127 bytes and IPv6 addresses at their first colon.
bool is_certificate_of(X509* certificate, const std::string& host) {
  if (certificate == nullptr) return false;
  if (is_address(host)) return X509_check_ip_asc(certificate, host.c_str(), 0) == 1;
  return X509_check_host(certificate, host.data(), host.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
}

// One HTTP request.
class Request : public Connection {
 public:
  Request(Network& network, const char* method, const std::string& path, std::string body)
      : Connection(network), has_body_(std::string_view(method) == "POST"), body_(std::move(body)) {
    connect(method, path, nullptr);
  }

  [[nodiscard]] bool whole() const noexcept { return whole_; }
  [[nodiscard]] HttpAnswer take() { return std::move(answer_); }

 private:
  bool append_headers(lws* wsi, unsigned char** at, unsigned char* limit) override {
    if (!has_body_) return true;
    if (!body_.empty()) lws_client_http_body_pending(wsi, 1);
    return append(wsi, "content-type:", "application/json", at, limit) &&
           append(wsi, "content-length:", std::to_string(body_.size()), at, limit);
  }

  // All at once: libwebsockets keeps what the socket does not take.
  int write_body(lws* wsi) {
    if (body_.empty() || std::exchange(body_sent_, true)) return 0;
    std::vector<unsigned char> bytes(LWS_PRE + body_.size());
    std::memcpy(bytes.data() + LWS_PRE, body_.data(), body_.size());
    lws_client_http_body_pending(wsi, 0);
    return lws_write(wsi, bytes.data() + LWS_PRE, body_.size(), LWS_WRITE_HTTP_FINAL) < 0 ? -1 : 0;
  }

  int on(lws* wsi, lws_callback_reasons reason, void* in, std::size_t length) override {
    switch (reason) {
      case LWS_CALLBACK_CLIENT_HTTP_WRITEABLE:
        return write_body(wsi);
      case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
        answer_.status = static_cast<int>(lws_http_client_http_response(wsi));
        return 0;
      case LWS_CALLBACK_RECEIVE_CLIENT_HTTP: {
        std::array<char, LWS_PRE + 16384> room;
        char* at = room.data() + LWS_PRE;
        int size = static_cast<int>(room.size() - LWS_PRE);
        return lws_http_client_read(wsi, &at, &size) < 0 ? -1 : 0;
      }
      case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
        if (length > kMostMessageBytes - answer_.body.size()) {
          end("the answer is too large");
          return -1;
        }
        answer_.body.append(static_cast<const char*>(in), length);
        return 0;
      case LWS_CALLBACK_COMPLETED_CLIENT_HTTP:
        whole_ = true;
        end({});
        return 0;
      case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
        end(answer_.status == 0 ? "the connection ended without an answer" : "the answer ended early");
        return 0;
      default:
        return 0;
    }
  }

  const bool has_body_;
  std::string body_;
  bool body_sent_ = false, whole_ = false;
  HttpAnswer answer_;
};

}  // namespace

bool interrupted() noexcept {
  return g_interrupted != 0;
}

void take_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { g_interrupted = 1; };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

const lws_protocols Network::kProtocols[] = {
    {"bindcast", &Network::callback, 0, 65536, 0, nullptr, 0},
    {nullptr, nullptr, 0, 0, 0, nullptr, 0},
};

Network::Network(Access access) : access_(std::move(access)), server_(access_.server()) {
  lws_set_log_level(0, nullptr);
  if (server_.encrypted) {
    // Our own, because the one that libwebsockets would make trusts certificates in "../share".
    tls_.reset(SSL_CTX_new(TLS_client_method()));
    if (!tls_) throw Failure(Exit::unreachable, "TLS cannot be set up");
    SSL_CTX_set_min_proto_version(tls_.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(tls_.get(), access_.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
    const bool trusted = access_.ca_file.empty()
                             ? SSL_CTX_set_default_verify_paths(tls_.get()) == 1
                             : SSL_CTX_load_verify_locations(tls_.get(), access_.ca_file.c_str(), nullptr) == 1;
    if (!trusted) throw Failure(Exit::usage, access_.ca_file + ": no certificates in PEM that could be read");
  }
  lws_context_creation_info info{};
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.protocols = kProtocols;
  info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
  info.provided_client_ssl_ctx = tls_.get();
  info.http_proxy_address = "";  // otherwise the environment's http_proxy is used
  info.user = this;
  info.gid = static_cast<gid_t>(-1);
  info.uid = static_cast<uid_t>(-1);
  context_ = lws_create_context(&info);
  if (context_ == nullptr) throw Failure(Exit::unreachable, "libwebsockets cannot be set up");
}

Network::~Network() {
  lws_context_destroy(context_);
}

void Network::turn() {
  // libwebsockets knows no timeout of the caller's, but it wakes for its timers.
  lws_sul_schedule(
      context_, 0, &alarm_, [](lws_sorted_usec_list_t*) {}, kLongestTurnUs);
  lws_service(context_, 0);
}

HttpAnswer Network::request(const char* method, const std::string& path, const std::string& body) {
  Request request(*this, method, path, body);
  for (const auto end = Clock::now() + kPatience; !request.ended() && !interrupted(); turn())
    if (Clock::now() > end) throw Failure(Exit::unreachable, server_.url + ": no answer in time");
  if (interrupted()) throw Failure(Exit::refused, "interrupted");
  if (!request.whole()) throw Failure(Exit::unreachable, server_.url + ": " + request.fault());
  return request.take();
}

int Network::callback(lws* wsi, lws_callback_reasons reason, void*, void* in, std::size_t length) {
  switch (reason) {
    case LWS_CALLBACK_WSI_CREATE:
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
    case LWS_CALLBACK_CLIENT_HTTP_WRITEABLE:
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP:
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
    case LWS_CALLBACK_COMPLETED_CLIENT_HTTP:
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
    case LWS_CALLBACK_CLIENT_RECEIVE:
    case LWS_CALLBACK_CLIENT_WRITEABLE:
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_TIMER:
      break;
    default:
      return 0;  // of the context, or without a connection
  }
  auto* connection = static_cast<Connection*>(lws_get_opaque_user_data(wsi));
  return connection == nullptr ? -1 : connection->handle(wsi, reason, in, length);
}

// ── A connection ─────────────────────────────────────────────────────────────────────────────────────────────────────

Connection::~Connection() {
  if (wsi_ == nullptr) return;
  lws_set_opaque_user_data(wsi_, nullptr);
  lws_set_timeout(wsi_, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}

void Connection::connect(const char* method, const std::string& path, const char* subprotocol) {
  const ServerAddress& server = network_.server_;
  token_ = network_.access_.token(server).value_or("");
  method_ = method == nullptr ? "" : method;
  path_ = server.prefix + path;
  subprotocol_ = subprotocol;
  addresses_ = server.unix_path.empty() ? addresses_of(server.host) : std::deque<std::string>{"+" + server.unix_path};
  connect_next();
}

void Connection::connect_next() {
  const ServerAddress& server = network_.server_;
  const std::string address = std::move(addresses_.front());
  addresses_.pop_front();
  lws_client_connect_info info{};
  info.context = network_.context_;
  info.address = address.c_str();
  info.port = server.port;
  info.host = server.authority.c_str();
  info.path = path_.c_str();
  info.method = method_.empty() ? nullptr : method_.c_str();
  info.protocol = subprotocol_;
  info.local_protocol_name = Network::kProtocols[0].name;
  info.alpn = "http/1.1";
  info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
  if (server.encrypted) {
    info.ssl_connection |= LCCSCF_USE_SSL | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;  // ours follows
    if (network_.access_.insecure)
      info.ssl_connection |= LCCSCF_ALLOW_SELFSIGNED | LCCSCF_ALLOW_EXPIRED | LCCSCF_ALLOW_INSECURE;
  }
  info.opaque_user_data = this;
  errno = 0;
  lws* const made = lws_client_connect_via_info(&info);
  const int error = errno;
  if (made != nullptr && !ended_)
    wsi_ = made;
  else if (made == nullptr)
    end(error == 0 ? "cannot connect" : std::strerror(error));
}

void Connection::end(std::string fault) {
  if (std::exchange(ended_, true)) return;
  fault_ = std::move(fault);
}

bool Connection::append(lws* wsi, const char* name, const std::string& value, unsigned char** at,
                        unsigned char* limit) {
  return lws_add_http_header_by_name(wsi, reinterpret_cast<const unsigned char*>(name),
                                     reinterpret_cast<const unsigned char*>(value.data()),
                                     static_cast<int>(value.size()), at, limit) == 0;
}

// Called when the connection stands, before anything is sent; so no other host gets the token. Not zero: nothing is
// sent.
int Connection::write_head(lws* wsi, unsigned char** at, std::size_t room) {
  const ServerAddress& server = network_.server_;
  if (server.encrypted && !network_.access_.insecure) {
    const SSL* ssl = lws_get_ssl(wsi);
    if (ssl == nullptr || SSL_get_verify_result(ssl) != X509_V_OK ||
        !is_certificate_of(SSL_get0_peer_certificate(ssl), server.host)) {
      end("TLS: the certificate is not one of " + server.host);
      return -1;
    }
  }
  unsigned char* const limit = *at + room;
  const bool fits = append(wsi, "user-agent:", "bindcast/" + std::string(kVersion), at, limit) &&
                    (token_.empty() || append(wsi, "authorization:", "Bearer " + token_, at, limit)) &&
                    append_headers(wsi, at, limit);
  if (!fits) end("the token is too long");
  return fits ? 0 : -1;
}

std::string Connection::why_not_connected(lws* wsi, std::string_view said) const {
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof error;
    const int fd = lws_get_socket_fd(wsi);
    if (fd >= 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error != 0 ? std::strerror(error) : "cannot connect";
  }
  const SSL* ssl = lws_get_ssl(wsi);
  const long verdict = ssl == nullptr ? X509_V_OK : SSL_get_verify_result(ssl);
  if (verdict != X509_V_OK) return std::string("TLS: ") + X509_verify_cert_error_string(verdict);
  return said.empty() ? "the connection ended without an answer" : std::string(said);
}

int Connection::handle(lws* wsi, lws_callback_reasons reason, void* in, std::size_t length) {
  switch (reason) {
    case LWS_CALLBACK_WSI_CREATE:
      connected_ = true;
      return 0;
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
      return write_head(wsi, static_cast<unsigned char**>(in), length);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
      wsi_ = nullptr;
      if (!connected_ && !addresses_.empty()) {
        connect_next();
        return 0;
      }
      http_status_ = static_cast<int>(lws_http_client_http_response(wsi));
      end(why_not_connected(wsi,
                            in == nullptr ? std::string_view() : std::string_view(static_cast<char*>(in), length)));
      return 0;
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
    case LWS_CALLBACK_CLIENT_CLOSED:
      wsi_ = nullptr;
      return on(wsi, reason, in, length);
    default:
      return on(wsi, reason, in, length);
  }
}

}  // namespace bindcast::tool
