// Webhooks on real sockets: this thread turns the loop, a thread of the receiver's own answers as each test says.

#include "harness.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "config/webhook_url.hpp"
#include "plugin/server/webhooks.hpp"
#include "plugin/version.hpp"

namespace {

using namespace bindcast;
using namespace std::chrono_literals;

constexpr std::int64_t kPatienceUs = 20'000'000;
constexpr std::size_t kEndless = 64 * 1024 * 1024;

// ── A certificate authority of our own ───────────────────────────────────────────────────────────────────────────────

struct Identity {
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
};

void extend(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  assert_non_null(extension);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// By `issuer`, or by itself.
Identity make_identity(const char* name, const char* alternatives, const Identity* issuer) {
  Identity made{.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
  X509* x = made.certificate;
  X509_set_version(x, 2);
  static long serial = 0;
  ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_set_pubkey(x, made.key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name),
                             -1, -1, 0);
  X509* by = issuer != nullptr ? issuer->certificate : x;
  X509_set_issuer_name(x, X509_get_subject_name(by));
  extend(x, by, NID_basic_constraints, issuer != nullptr ? "CA:FALSE" : "critical,CA:TRUE");
  if (alternatives != nullptr) extend(x, by, NID_subject_alt_name, alternatives);
  X509_sign(x, issuer != nullptr ? issuer->key : made.key, EVP_sha256());
  return made;
}

void free_identity(Identity& identity) {
  X509_free(identity.certificate);
  EVP_PKEY_free(identity.key);
}

struct Certificates {
  Identity authority, stranger;  // the first one is trusted
  Identity hook, foreign;        // for hook.example and the loopback addresses, by one or the other
  std::string folder;
} g_certificates;

int make_certificates(void**) {
  Certificates& all = g_certificates;
  char name[] = "/tmp/bindcast-webhooks-XXXXXX";
  all.folder = mkdtemp(name);
  const char* names = "DNS:hook.example,IP:127.0.0.1,IP:::1";
  all.authority = make_identity("test authority", nullptr, nullptr);
  all.stranger = make_identity("unknown authority", nullptr, nullptr);
  all.hook = make_identity("hook", names, &all.authority);
  all.foreign = make_identity("hook", names, &all.stranger);
  const std::string path = all.folder + "/ca.pem";
  FILE* file = fopen(path.c_str(), "w");
  PEM_write_X509(file, all.authority.certificate);
  fclose(file);
  setenv("SSL_CERT_FILE", path.c_str(), 1);
  setenv("http_proxy", "127.0.0.1:1", 1);  // is not to be used
  return 0;
}

int remove_certificates(void**) {
  Certificates& all = g_certificates;
  for (Identity* identity : {&all.authority, &all.stranger, &all.hook, &all.foreign}) free_identity(*identity);
  unlink((all.folder + "/ca.pem").c_str());
  rmdir(all.folder.c_str());
  return 0;
}

// ── The receiver ─────────────────────────────────────────────────────────────────────────────────────────────────────

struct Request {
  std::string line, head, body;
  [[nodiscard]] std::string header(const std::string& name) const {
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const auto from = at + name.size() + 4;
    return head.substr(from, head.find("\r\n", from) - from);
  }
};

struct Answer {
  std::string bytes;
  bool hang = false;            // nothing, and the connection stays
  bool before_request = false;  // and the request is not read
  std::size_t more = 0;         // so many bytes after it
};

Answer status(int code, const std::string& headers = "") {
  return {.bytes = "HTTP/1.1 " + std::to_string(code) + " Text\r\n" + headers + "Content-Length: 2\r\n\r\nok"};
}

// Serves one connection after the other: the n-th one gets the n-th answer, and further ones the last.
class Receiver {
 public:
  explicit Receiver(std::vector<Answer> answers, std::uint16_t port = 0, const Identity* identity = nullptr,
                    int family = AF_INET)
      : answers_(std::move(answers)) {
    if (identity != nullptr) {
      tls_ = SSL_CTX_new(TLS_server_method());
      SSL_CTX_use_certificate(tls_, identity->certificate);
      SSL_CTX_use_PrivateKey(tls_, identity->key);
    }
    fd_ = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_storage address{};
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
    address.ss_family = static_cast<sa_family_t>(family);
    socklen_t size = family == AF_INET ? sizeof *v4 : sizeof *v6;
    v4->sin_port = htons(port);  // at the same place in both
    if (family == AF_INET)
      v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
      v6->sin6_addr = in6addr_loopback;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd_, 16) != 0) return;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(v4->sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Receiver() {
    ending_ = true;
    shutdown(fd_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    for (const int held : held_) close(held);
    close(fd_);
    SSL_CTX_free(tls_);
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }  // 0: none
  [[nodiscard]] std::string url(const std::string& path = "/in?key=hidden") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  [[nodiscard]] std::string secure_url(const std::string& host) const {
    return "https://" + host + ":" + std::to_string(port_) + "/in";
  }
  std::vector<Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  [[nodiscard]] std::size_t connections() const { return connections_; }
  [[nodiscard]] std::size_t sent() const { return sent_; }  // of the last answer; when the connection has ended
  [[nodiscard]] std::size_t finished() const { return finished_; }

 private:
  struct Peer {
    int fd;
    SSL* ssl;
    ssize_t read(char* to, std::size_t size) const {
      return ssl != nullptr ? SSL_read(ssl, to, static_cast<int>(size)) : recv(fd, to, size, 0);
    }
    ssize_t write(const char* from, std::size_t size) const {
      return ssl != nullptr ? SSL_write(ssl, from, static_cast<int>(size)) : send(fd, from, size, MSG_NOSIGNAL);
    }
  };
  void serve() {
    while (!ending_) {
      const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const Answer& answer = answers_[std::min<std::size_t>(connections_, answers_.size() - 1)];
      ++connections_;
      if (answer.hang) {
        held_.push_back(fd);
        continue;
      }
      const timeval patience{.tv_sec = 20, .tv_usec = 0};
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
      Peer peer{.fd = fd, .ssl = nullptr};
      bool usable = true;
      if (tls_ != nullptr) {
        peer.ssl = SSL_new(tls_);
        SSL_set_fd(peer.ssl, fd);
        usable = SSL_accept(peer.ssl) == 1;
      }
      if (usable && (answer.before_request || take_request(peer))) reply(peer, answer);
      SSL_free(peer.ssl);
      close(fd);
      ++finished_;
    }
  }
  bool take_request(const Peer& peer) {
    std::string all;
    std::size_t needed = 0;
    while (needed == 0 || all.size() < needed) {
      char chunk[4096];
      const ssize_t size = peer.read(chunk, sizeof chunk);
      if (size <= 0) return false;
      all.append(chunk, static_cast<std::size_t>(size));
      const auto end = all.find("\r\n\r\n");
      const auto at = all.find("content-length: ");
      if (needed == 0 && end != std::string::npos) needed = end + 4 + (at < end ? std::stoul(all.substr(at + 16)) : 0);
    }
    const auto end = all.find("\r\n\r\n");
    const std::lock_guard lock(mutex_);
    requests_.push_back(
        {.line = all.substr(0, all.find("\r\n")), .head = all.substr(0, end + 2), .body = all.substr(end + 4)});
    return true;
  }
  void reply(const Peer& peer, const Answer& answer) {
    sent_ = 0;
    if (peer.write(answer.bytes.data(), answer.bytes.size()) <= 0) return;
    const std::string chunk(65536, 'x');
    while (sent_ < answer.more && !ending_) {
      const ssize_t size = peer.write(chunk.data(), chunk.size());
      if (size <= 0) return;
      sent_ += static_cast<std::size_t>(size);
    }
    // The answer is read before the end is seen.
    shutdown(peer.fd, SHUT_WR);
    char byte;
    while (peer.read(&byte, 1) > 0) {
    }
  }

  std::vector<Answer> answers_;
  SSL_CTX* tls_ = nullptr;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> ending_ = false;
  std::atomic<std::size_t> connections_ = 0, sent_ = 0, finished_ = 0;
  std::vector<int> held_;  // the thread's
  std::mutex mutex_;       // guards requests_
  std::vector<Request> requests_;
  std::thread thread_;
};

// A port on which nobody listens.
std::uint16_t free_port() {
  const Receiver receiver({status(200)});
  return receiver.port();
}

// ── The house ────────────────────────────────────────────────────────────────────────────────────────────────────────

RetryOptions quick_retries(std::uint32_t attempts) {
  RetryOptions retry;
  retry.initial = 1ms;
  retry.max = 1ms;
  retry.attempts = attempts;
  return retry;
}

NameAnswer loopback_for_every_name(const std::string&) {
  return {.addresses = {"127.0.0.1"}, .fault = ""};
}

struct House {
  uv_loop_t loop{};
  lws_context* context = nullptr;
  std::vector<WebhookOutcome> outcomes;
  std::vector<std::string> log;
  std::function<void(const WebhookOutcome&)> also;
  Faults faults;
  std::unique_ptr<Webhooks> webhooks;

  explicit House(std::uint32_t attempts = 0, WebhookLimits limits = {},
                 NameLookup::Resolve resolve = loopback_for_every_name) {
    uv_loop_init(&loop);
    lws_set_log_level(0, nullptr);
    lws_context_creation_info info{};
    void* loops[] = {&loop};
    info.foreign_loops = loops;
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.gid = static_cast<gid_t>(-1);
    info.uid = static_cast<uid_t>(-1);
    info.timeout_secs = 10;
    context = lws_create_context(&info);
    assert_non_null(context);
    webhooks = std::make_unique<Webhooks>(
        &loop, [this](LogLevel, const std::string& line) { log.push_back(line); }, faults,
        [this](const WebhookOutcome& outcome, Now) {
          outcomes.push_back(outcome);
          if (also) also(outcome);
        },
        Webhooks::Means{.limits = limits, .random = [] { return 0.5; }, .resolve = std::move(resolve)});
    webhooks->attach(context);
    webhooks->configure(quick_retries(attempts));
  }
  bool post(const std::string& url, const std::string& id = "msg_1", const std::string& body = R"({"a":1})",
            const std::string& secret_file = "") {
    return webhooks->post({.url = url, .secret_file = secret_file, .id = id, .body = body}, read_clock());
  }
  void turn() {
    uv_run(&loop, UV_RUN_NOWAIT);
    poll(nullptr, 0, 1);
  }
  bool until(const std::function<bool()>& done) {
    const std::int64_t end_us = read_clock().mono_us + kPatienceUs;
    while (!done()) {
      if (read_clock().mono_us > end_us) return false;
      turn();
    }
    return true;
  }
  // The outcome of the next attempt that is told.
  WebhookOutcome next() {
    const std::size_t known = seen++;
    assert_true(until([&] { return outcomes.size() > known; }));
    return outcomes[known];
  }
  // As the runtime ends it. True when the loop could be closed.
  bool end() {
    webhooks->stop();
    webhooks.reset();
    lws_context_destroy(context);
    uv_run(&loop, UV_RUN_DEFAULT);
    lws_context_destroy(context);
    return uv_loop_close(&loop) == 0;
  }
  std::size_t seen = 0;
};

struct SecretFile {
  std::string path = g_certificates.folder + "/secret";
  explicit SecretFile(const std::string& text) { std::ofstream(path) << text; }
  ~SecretFile() { unlink(path.c_str()); }
};

std::string signature_by_hand(const std::string& key, const std::string& content) {
  unsigned char digest[32];
  unsigned size = sizeof digest;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(content.data()),
       content.size(), digest, &size);
  unsigned char text[64];
  EVP_EncodeBlock(text, digest, static_cast<int>(size));
  return std::string("v1,") + reinterpret_cast<const char*>(text);
}

// ── Tests ────────────────────────────────────────────────────────────────────────────────────────────────────────────

void a_post_arrives_with_its_headers_and_signature(void**) {
  struct Row {
    std::string file, key;
  };
  for (const Row& row : {Row{"whsec_AAECAwQFBgcICQ==\n", std::string("\0\1\2\3\4\5\6\7\10\11", 10)},
                         Row{"plain key\n", "plain key"}, Row{"whsec", "whsec"}}) {
    House house;
    Receiver receiver({status(204)});
    const SecretFile secret(row.file);
    const std::int64_t before = read_clock().wall_us / 1'000'000;
    assert_true(house.post(receiver.url(), "msg_2f", R"({"type":"zone_created"})", secret.path));
    const WebhookOutcome outcome = house.next();
    assert_true(outcome.delivered && outcome.final);
    assert_int_equal(outcome.status, 204);
    assert_int_equal(outcome.attempt, 1);
    assert_text(outcome.id, "msg_2f");
    assert_text(outcome.target, "http://127.0.0.1:" + std::to_string(receiver.port()));
    assert_text(outcome.fault, "");
    const Request request = receiver.requests().at(0);
    assert_text(request.line, "POST /in?key=hidden HTTP/1.1");
    assert_text(request.body, R"({"type":"zone_created"})");
    assert_text(request.header("Host"), "127.0.0.1:" + std::to_string(receiver.port()));
    assert_text(request.header("content-type"), "application/json");
    assert_text(request.header("user-agent"), "bindcast/" + std::string(kVersion));
    assert_text(request.header("webhook-id"), "msg_2f");
    const std::string timestamp = request.header("webhook-timestamp");
    assert_in_range(std::stoll(timestamp), before, before + 20);
    assert_text(request.header("webhook-signature"),
                signature_by_hand(row.key, "msg_2f." + timestamp + "." + request.body));
    assert_int_equal(house.webhooks->counters().delivered, 1);
    assert_int_equal(house.webhooks->pending(), 0);
    assert_true(house.end());
  }
}

void without_a_secret_there_is_no_signature(void**) {
  House house;
  Receiver receiver({status(200)});
  assert_true(house.post(receiver.url()));
  assert_true(house.next().delivered);
  assert_int_equal(receiver.requests().at(0).head.find("signature"), std::string::npos);
  assert_true(house.end());
}

void a_receiver_that_comes_up_again_gets_it(void**) {
  House house(1'000);
  const std::uint16_t port = free_port();
  assert_true(house.post("http://127.0.0.1:" + std::to_string(port), "again"));
  const WebhookOutcome refused = house.next();
  assert_false(refused.delivered);
  assert_false(refused.final);
  assert_int_equal(refused.status, 0);
  assert_contains(refused.fault, "refused");
  Receiver receiver({status(200)}, port);
  assert_int_equal(receiver.port(), port);
  assert_true(house.until([&] { return house.outcomes.back().delivered; }));
  assert_true(house.outcomes.back().final);
  assert_int_equal(house.outcomes.back().attempt, house.outcomes.size());
  assert_text(receiver.requests().at(0).header("webhook-id"), "again");
  assert_true(house.end());
}

void an_error_is_tried_again_and_gone_is_not(void**) {
  House house(5);
  Receiver receiver({status(500), status(302, "Location: /elsewhere\r\n"), status(200), status(410)});
  assert_true(house.post(receiver.url(), "first"));
  WebhookOutcome outcome = house.next();
  assert_int_equal(outcome.status, 500);
  assert_contains(outcome.fault, "500");
  assert_false(outcome.final);
  outcome = house.next();
  assert_int_equal(outcome.status, 302);  // and nobody went elsewhere
  outcome = house.next();
  assert_true(outcome.delivered && outcome.final);
  assert_int_equal(outcome.attempt, 3);
  assert_true(house.post(receiver.url(), "second"));
  outcome = house.next();
  assert_int_equal(outcome.status, 410);
  assert_true(outcome.final);
  assert_false(outcome.delivered);
  assert_int_equal(house.webhooks->counters().failed, 1);
  for (const Request& request : receiver.requests()) assert_contains(request.line, "POST /in");
  assert_true(house.end());
}

void the_last_attempt_is_the_last(void**) {
  House house(2);
  Receiver receiver({status(503)});
  assert_true(house.post(receiver.url()));
  assert_false(house.next().final);
  assert_false(house.next().final);
  assert_true(house.next().final);
  assert_int_equal(house.webhooks->pending(), 0);
  assert_int_equal(house.webhooks->counters().attempts, 3);
  assert_true(house.end());
}

void a_receiver_that_hangs_is_given_up_in_time(void**) {
  House house(1, {.attempt_us = 50'000});
  Receiver receiver({{.bytes = "", .hang = true}, status(200)});
  assert_true(house.post(receiver.url()));
  const WebhookOutcome outcome = house.next();
  assert_false(outcome.delivered);
  assert_contains(outcome.fault, "time");
  assert_true(house.next().delivered);
  assert_true(house.end());
}

void so_many_at_once_and_no_more(void**) {
  House house(0, {.max_posts = 7});
  Receiver receiver({{.bytes = "", .hang = true}});
  for (int i = 0; i < 7; ++i) assert_true(house.post(receiver.url(), "m" + std::to_string(i)));
  assert_false(house.post(receiver.url(), "late"));
  assert_int_equal(house.webhooks->counters().refused, 1);
  assert_true(house.until([&] { return receiver.connections() == 4; }));
  for (int i = 0; i < 50; ++i) house.turn();
  assert_int_equal(receiver.connections(), 4);
  house.webhooks->cancel("m1");
  assert_true(house.until([&] { return receiver.connections() == 5; }));
  assert_true(house.post(receiver.url(), "roomy"));
  assert_true(house.end());
}

void bodies_are_bounded_together(void**) {
  House house(0, {.max_body_bytes = 1000});
  Receiver receiver({status(200)});
  assert_false(house.post(receiver.url(), "a", std::string(1001, 'x')));
  assert_true(house.post(receiver.url(), "b", std::string(600, 'x')));
  assert_false(house.post(receiver.url(), "c", std::string(600, 'x')));
  assert_int_equal(house.webhooks->counters().refused, 2);
  assert_true(house.next().delivered);
  assert_true(house.post(receiver.url(), "c", std::string(600, 'x')));
  assert_true(house.next().delivered);
  assert_true(house.end());
}

void a_large_body_arrives_whole(void**) {
  House house;
  Receiver receiver({status(200)});
  std::string body;
  while (body.size() < 900'000) body += std::to_string(body.size()) + ",";
  assert_true(house.post(receiver.url(), "large", body));
  assert_true(house.next().delivered);
  assert_true(receiver.requests().at(0).body == body);
  assert_true(house.end());
}

// An answer that comes before the body has gone out counts all the same.
void an_early_answer_is_taken(void**) {
  House house;
  Answer early = status(413);
  early.before_request = true;
  Receiver receiver({early});
  assert_true(house.post(receiver.url(), "large", std::string(1'000'000, 'x')));
  assert_int_equal(house.next().status, 413);
  assert_true(house.end());
}

void an_endless_answer_is_not_read(void**) {
  struct Row {
    std::string head;
  };
  for (const Row& row : {Row{"HTTP/1.1 200 OK\r\n\r\n"}, Row{"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"}}) {
    House house(0, {.attempt_us = 3 * kPatienceUs});  // it is not the time limit that ends it
    Receiver receiver({{.bytes = row.head, .more = kEndless}});
    assert_true(house.post(receiver.url()));
    assert_true(house.next().delivered);
    assert_true(house.until([&] { return receiver.finished() == 1; }));
    assert_true(receiver.sent() < kEndless);
    assert_true(house.end());
  }
}

void no_http_is_a_fault(void**) {
  const std::vector<Answer> answers{{.bytes = "garbage\r\n\r\n"},
                                    {.bytes = std::string("\0\1\2\3", 4) + std::string(100, '\xff')},
                                    {.bytes = "HTTP/1.1 200 OK\r\nX-Long: ", .more = kEndless},
                                    {.bytes = "x", .more = kEndless},
                                    {.bytes = "HTTP/1.1 20"}};
  for (const Answer& answer : answers) {
    House house(0, {.attempt_us = 5'000'000});
    Receiver receiver({answer});
    assert_true(house.post(receiver.url()));
    const WebhookOutcome outcome = house.next();
    assert_false(outcome.delivered);
    assert_int_equal(outcome.status, 0);
    assert_contains(outcome.fault, "HTTP");
    assert_true(house.end());
  }
}

void https_is_for_the_right_host_by_a_known_authority(void**) {
  struct Row {
    const Identity* identity;
    std::string host, fault;
  };
  const Certificates& all = g_certificates;
  for (const Row& row :
       {Row{&all.hook, "hook.example", ""}, Row{&all.hook, "127.0.0.1", ""},
        Row{&all.hook, "other.example", "certificate"}, Row{&all.foreign, "hook.example", "certificate"}}) {
    House house;
    Receiver receiver({status(200)}, 0, row.identity);
    assert_true(house.post(receiver.secure_url(row.host)));
    const WebhookOutcome outcome = house.next();
    if (row.fault.empty()) {
      assert_text(outcome.fault, "");
      assert_true(outcome.delivered);
      assert_text(receiver.requests().at(0).header("Host"), row.host + ":" + std::to_string(receiver.port()));
    } else {
      assert_false(outcome.delivered);
      assert_contains(outcome.fault, "TLS");
      assert_contains(outcome.fault, row.fault);
      assert_int_equal(receiver.requests().size(), 0);  // not even the head went out
    }
    assert_true(house.end());
  }
}

void https_to_an_ipv6_address_is_checked_too(void**) {
  const Certificates& all = g_certificates;
  Identity other = make_identity("other", "IP:::2,DNS:hook.example", &all.authority);
  for (const Identity* identity : {&all.hook, static_cast<const Identity*>(&other)}) {
    Receiver receiver({status(200)}, 0, identity, AF_INET6);
    if (receiver.port() == 0) {
      free_identity(other);
      skip();
    }
    House house;
    assert_true(house.post(receiver.secure_url("[::1]")));
    const WebhookOutcome outcome = house.next();
    if (identity == &all.hook)
      assert_text(outcome.fault, "");
    else
      assert_contains(outcome.fault, "certificate");
    assert_int_equal(receiver.requests().size(), identity == &all.hook ? 1 : 0);
    assert_true(house.end());
  }
  free_identity(other);
}

void plain_text_on_a_tls_port_is_a_fault(void**) {
  House house;
  Receiver receiver({{.bytes = "HTTP/1.1 200 OK\r\n\r\n", .before_request = true}});
  assert_true(house.post(receiver.secure_url("127.0.0.1")));
  assert_contains(house.next().fault, "TLS");
  assert_true(house.end());
}

void a_secret_that_cannot_be_read_is_a_fault_that_passes(void**) {
  House house(1'000);
  Receiver receiver({status(200)});
  const std::string path = g_certificates.folder + "/secret";
  assert_true(house.post(receiver.url(), "m", "{}", path));
  const WebhookOutcome outcome = house.next();
  assert_contains(outcome.fault, "secret file cannot be opened");
  assert_false(outcome.final);
  assert_int_equal(receiver.connections(), 0);
  const SecretFile secret("key");
  assert_true(house.until([&] { return house.outcomes.back().delivered; }));
  assert_false(receiver.requests().at(0).header("webhook-signature").empty());
  assert_true(house.end());
}

void a_secret_is_bounded_and_well_formed(void**) {
  struct Row {
    std::string text, fault;
  };
  for (const Row& row : {Row{"", "empty"}, Row{"\n", "empty"}, Row{"whsec_", "base64"}, Row{"whsec_=AAA", "base64"},
                         Row{"whsec_hidden!", "base64"}, Row{std::string(5000, 'x'), "larger than 4096"}}) {
    House house;
    const SecretFile secret(row.text);
    assert_true(house.post("http://127.0.0.1:1/", "m", "{}", secret.path));
    const WebhookOutcome outcome = house.next();
    assert_contains(outcome.fault, row.fault);
    assert_int_equal(outcome.fault.find("hidden"), std::string::npos);
    assert_true(house.end());
  }
  House house;
  assert_true(house.post("http://127.0.0.1:1/", "m", "{}", g_certificates.folder));
  assert_contains(house.next().fault, "not a regular file");
  const std::string pipe = g_certificates.folder + "/pipe";
  assert_int_equal(mkfifo(pipe.c_str(), 0600), 0);
  assert_true(house.post("http://127.0.0.1:1/", "m", "{}", pipe));
  assert_contains(house.next().fault, "not a regular file");
  unlink(pipe.c_str());
  assert_true(house.end());
}

void a_name_without_an_address_is_a_fault(void**) {
  House house(0, {}, [](const std::string&) { return NameAnswer{.addresses = {}, .fault = "no such name"}; });
  assert_true(house.post("http://hook.example/"));
  assert_text(house.next().fault, "name lookup: no such name");
  assert_true(house.end());
}

void the_next_attempt_tries_the_next_address(void**) {
  House house(1, {}, [](const std::string&) {
    return NameAnswer{.addresses = {"127.0.0.2", "127.0.0.1"}, .fault = ""};
  });
  Receiver receiver({status(200)});
  assert_true(house.post("http://hook.example:" + std::to_string(receiver.port()) + "/"));
  assert_contains(house.next().fault, "refused");
  assert_true(house.next().delivered);
  assert_text(receiver.requests().at(0).header("Host"), "hook.example:" + std::to_string(receiver.port()));
  assert_true(house.end());
}

void the_system_knows_localhost(void**) {
  const NameAnswer answer = resolve_by_system("localhost");
  assert_true(std::ranges::find(answer.addresses, "127.0.0.1") != answer.addresses.end() ||
              std::ranges::find(answer.addresses, "::1") != answer.addresses.end());
  assert_false(resolve_by_system("127.0.0.1.invalid..").fault.empty());
}

// A resolver that does not answer holds nobody else up, is given up in time, and may answer when all is over.
void a_lookup_that_hangs_holds_nobody_up(void**) {
  const auto release = std::make_shared<std::promise<void>>();
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  {
    House house(0, {.attempt_us = 200'000},
                [wait = release->get_future().share(),
                 mark = std::shared_ptr<void>(nullptr, [gone](void*) { *gone = true; })](const std::string&) {
                  wait.wait();
                  return NameAnswer{.addresses = {"127.0.0.1"}, .fault = ""};
                });
    Receiver receiver({status(200)});
    assert_true(house.post("http://hook.example/", "slow"));
    assert_true(house.post(receiver.url(), "quick"));
    assert_text(house.next().id, "quick");
    const WebhookOutcome slow = house.next();
    assert_text(slow.id, "slow");
    assert_contains(slow.fault, "name lookup takes too long");
    assert_true(house.post("http://hook.example/", "under-way-at-the-end"));
    house.turn();
    assert_true(house.end());
  }
  assert_false(*gone);
  release->set_value();
  const std::int64_t end_us = read_clock().mono_us + kPatienceUs;
  while (!*gone && read_clock().mono_us < end_us) poll(nullptr, 0, 1);
  assert_true(*gone);
}

void no_route_is_a_fault_and_leaves_the_loop_closable(void**) {
  House house(2);
  assert_true(house.post("http://255.255.255.255:9/"));
  for (int i = 0; i < 3; ++i) assert_contains(house.next().fault, "cannot connect");
  assert_true(house.end());
}

void what_is_cancelled_is_not_told(void**) {
  House house(5);
  Receiver receiver({{.bytes = "", .hang = true}, status(200)});
  assert_true(house.post(receiver.url(), "cancelled"));
  assert_true(house.until([&] { return receiver.connections() == 1; }));
  house.webhooks->cancel("cancelled");
  assert_false(house.webhooks->cancel("never heard of"));
  assert_true(house.post("http://127.0.0.1:1/", "never sent"));
  assert_true(house.webhooks->cancel("never sent"));
  assert_true(house.post(receiver.url(), "other"));
  assert_text(house.next().id, "other");
  assert_int_equal(house.webhooks->counters().cancelled, 2);
  assert_int_equal(house.outcomes.size(), 1);
  assert_true(house.end());
}

void who_was_sent_the_body_may_know_it(void**) {
  House house(5);
  Receiver receiver({status(500)});
  assert_true(house.post(receiver.url(), "refused"));
  (void)house.next();
  assert_false(house.webhooks->cancel("refused"));
  assert_true(house.end());
}

void who_is_told_may_do_anything(void**) {
  House house(5);
  Receiver receiver({status(500)});
  house.also = [&](const WebhookOutcome& outcome) {
    if (outcome.attempt == 2) house.webhooks->cancel(outcome.id);
    if (outcome.id == "first" && outcome.attempt == 2) assert_true(house.post(receiver.url(), "second"));
    if (outcome.id == "second") house.webhooks->stop();
  };
  assert_true(house.post(receiver.url(), "first"));
  assert_true(house.until([&] { return house.outcomes.size() == 3; }));
  for (int i = 0; i < 20; ++i) house.turn();
  assert_int_equal(house.outcomes.size(), 3);
  assert_false(house.post(receiver.url(), "too late"));
  assert_true(house.end());
}

void the_end_tells_nothing_more(void**) {
  for (const bool encrypted : {false, true}) {
    House house(5);
    Receiver receiver({{.bytes = "", .hang = true}});
    const std::uint16_t closed = free_port();
    assert_true(house.post(encrypted ? receiver.secure_url("127.0.0.1") : receiver.url(), "in-flight"));
    assert_true(house.post("http://127.0.0.1:" + std::to_string(closed), "waiting"));
    assert_true(house.until([&] { return receiver.connections() == 1 && !house.outcomes.empty(); }));
    house.webhooks->stop();
    const std::size_t told = house.outcomes.size();
    for (int i = 0; i < 20; ++i) house.turn();
    assert_true(house.end());
    assert_int_equal(house.outcomes.size(), told);
  }
}

void nothing_secret_is_told(void**) {
  House house;
  assert_true(house.post("http://127.0.0.1:" + std::to_string(free_port()) + "/hidden?key=hidden"));
  assert_true(house.post("ftp://hidden/"));
  assert_true(house.post("http://user:hidden@host/"));
  for (int i = 0; i < 3; ++i) {
    const WebhookOutcome outcome = house.next();
    assert_true(outcome.final);
    assert_int_equal((outcome.target + outcome.fault).find("hidden"), std::string::npos);
  }
  assert_false(house.log.empty());
  for (const std::string& line : house.log) assert_int_equal(line.find("hidden"), std::string::npos);
  assert_true(house.end());
}

void an_id_that_is_no_header_is_refused(void**) {
  House house;
  for (const std::string& id : {std::string(), std::string("a\r\nX-Header: 1"), std::string(200, 'a')}) {
    assert_true(house.post("http://127.0.0.1:1/", id));
    assert_contains(house.next().fault, "id");
  }
  assert_int_equal(house.webhooks->counters().attempts, 0);
  assert_true(house.end());
}

void urls_are_taken_apart(void**) {
  struct Row {
    std::string text, target, path, fault;
  };
  const std::vector<Row> rows{
      {"http://a.example", "http://a.example", "/", ""},
      {"HTTPS://a.example:443/x?y#z", "https://a.example", "/x?y", ""},
      {"http://a.example:443?q", "http://a.example:443", "/?q", ""},
      {"http://10.1.2.3:8080/", "http://10.1.2.3:8080", "/", ""},
      {"https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443", "/x", ""},
      {"ftp://a.example", "", "", "http://"},
      {"a.example", "", "", "http://"},
      {"http://", "", "", "no host"},
      {"http://:80/", "", "", "no host"},
      {"http://user@a.example/", "", "", "user"},
      {"http://a.example:0/", "", "", "port"},
      {"http://a.example:65536/", "", "", "port"},
      {"http://a.example:/", "", "", "port"},
      {"http://a.example:8o/", "", "", "port"},
      {"http://[::1", "", "", "no end"},
      {"http://[a.example]/", "", "", "IPv6"},
      {"http://[::1]x/", "", "", "after"},
      {"http://127.1/", "", "", "neither"},
      {"http://a..example/", "", "", "neither"},
      {"http://a_b.exa%6dple/", "", "", "neither"},
      {"http://a.example/ x", "", "", "space"},
      {"http://a.example/\r\nX: y", "", "", "control"},
      {"http://" + std::string(101, 'a') + "/", "", "", "longer"},
      {"http://a.example/" + std::string(2000, 'a'), "", "", "longer"},
  };
  for (const Row& row : rows) {
    WebhookUrl url;
    const std::string fault = parse_webhook_url(row.text, url);
    if (row.fault.empty()) {
      assert_text(fault, "");
      assert_text(url.target(), row.target);
      assert_text(url.path, row.path);
    } else {
      assert_contains(fault, row.fault);
    }
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_post_arrives_with_its_headers_and_signature),
      cmocka_unit_test(without_a_secret_there_is_no_signature),
      cmocka_unit_test(a_receiver_that_comes_up_again_gets_it),
      cmocka_unit_test(an_error_is_tried_again_and_gone_is_not),
      cmocka_unit_test(the_last_attempt_is_the_last),
      cmocka_unit_test(a_receiver_that_hangs_is_given_up_in_time),
      cmocka_unit_test(so_many_at_once_and_no_more),
      cmocka_unit_test(bodies_are_bounded_together),
      cmocka_unit_test(a_large_body_arrives_whole),
      cmocka_unit_test(an_early_answer_is_taken),
      cmocka_unit_test(an_endless_answer_is_not_read),
      cmocka_unit_test(no_http_is_a_fault),
      cmocka_unit_test(https_is_for_the_right_host_by_a_known_authority),
      cmocka_unit_test(https_to_an_ipv6_address_is_checked_too),
      cmocka_unit_test(plain_text_on_a_tls_port_is_a_fault),
      cmocka_unit_test(a_secret_that_cannot_be_read_is_a_fault_that_passes),
      cmocka_unit_test(a_secret_is_bounded_and_well_formed),
      cmocka_unit_test(a_name_without_an_address_is_a_fault),
      cmocka_unit_test(the_next_attempt_tries_the_next_address),
      cmocka_unit_test(the_system_knows_localhost),
      cmocka_unit_test(a_lookup_that_hangs_holds_nobody_up),
      cmocka_unit_test(no_route_is_a_fault_and_leaves_the_loop_closable),
      cmocka_unit_test(what_is_cancelled_is_not_told),
      cmocka_unit_test(who_was_sent_the_body_may_know_it),
      cmocka_unit_test(who_is_told_may_do_anything),
      cmocka_unit_test(the_end_tells_nothing_more),
      cmocka_unit_test(nothing_secret_is_told),
      cmocka_unit_test(an_id_that_is_no_header_is_refused),
      cmocka_unit_test(urls_are_taken_apart),
  };
  return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
