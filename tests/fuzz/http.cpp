// What a stranger sends to the listener: the whole server, libwebsockets included, on a socket of its own for each
// input. HTTP requests, their headers and bodies, upgrades, and the WebSocket frames that follow one.
//
// TOKEN in an input stands for the token, so that what is behind it is reached; at each byte 0x1e the server gets its
// turn before the rest is sent.
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <memory>

#include "fuzz.hpp"
#include "plugin/server/server.hpp"

namespace {

using namespace bindcast;
using fuzz::require;

constexpr int kQuietTurns = 6;       // of the loop, without a byte: there is nothing more to come
constexpr int kMostTurns = 100'000;  // for a connection to be gone
constexpr int kBetweenHealthChecks = 256;

// One for all inputs: what a connection leaves behind must not harm the next one.
struct House {
  std::string folder, path, token;
  uv_loop_t loop{};
  Options options;
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, read_clock()};
  std::unique_ptr<Journal> journal;
  Metrics metrics;
  Health health{hub};
  std::unique_ptr<Server> server;

  House() {
    char name[] = "/tmp/bindcast-fuzz-XXXXXX";
    folder = mkdtemp(name);
    path = folder + "/socket";
    options.server.listen = {{.kind = ListenAddress::Kind::unix_path, .host = path, .port = 0}};
    options.server.allowed_origins = {"https://dashboard.example"};
    options.server.max_connections_per_user = 1000;
    options.auth.query_token = true;
    uv_loop_init(&loop);
    JournalOptions none;
    none.enabled = false;
    const Log say_nothing = [](LogLevel, const std::string&) {};
    journal = std::make_unique<Journal>(hub, none, folder, say_nothing, [](const auto&) {});
    server =
        std::make_unique<Server>(ServerTools{&loop, hub, *journal, health, metrics,
                                             [](LogLevel, const std::string& line) { fuzz::require_line(line, 2000); }},
                                 options, folder);
    server->start();
    std::ifstream(folder + "/bindcast.token") >> token;
  }
  ~House() {
    server->begin_shutdown();
    for (int turn = 0; turn < kMostTurns && !server->stopped(); ++turn) this->turn();
    server->finish();
    uv_run(&loop, UV_RUN_DEFAULT);
    server.reset();
    uv_loop_close(&loop);
    for (const char* file : {"/bindcast.token", "/socket"}) unlink((folder + file).c_str());
    rmdir(folder.c_str());
  }
  void turn() { uv_run(&loop, UV_RUN_NOWAIT); }
};

House& house() {
  static House one;
  return one;
}

class Peer {
 public:
  Peer() : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    house().path.copy(to.sun_path, sizeof to.sun_path - 1);
    require(connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0, "the server listens");
  }
  ~Peer() { close(fd_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void send(std::string_view bytes) {
    for (int turns = 0; !bytes.empty() && turns < kMostTurns && !ended_; ++turns) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return;
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      listen();
    }
  }
  // Until the server is quiet.
  const std::string& listen() {
    for (int quiet = 0; quiet < kQuietTurns && !ended_; ++quiet) {
      house().turn();
      char chunk[65536];
      const ssize_t size = recv(fd_, chunk, sizeof chunk, 0);
      if (size > 0) received_.append(chunk, static_cast<std::size_t>(size)), quiet = 0;
      if (size == 0 || (size < 0 && errno != EAGAIN)) ended_ = true;
    }
    return received_;
  }

 private:
  int fd_;
  std::string received_;
  bool ended_ = false;
};

// What follows an upgrade.
void require_frames(std::string_view bytes, bool text_is_json) {
  while (bytes.size() >= 2) {
    const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at])); };
    const std::size_t opcode = byte(0) & 15;
    require((byte(0) & 0x70) == 0 && (byte(1) & 0x80) == 0, "a frame of a server", bytes);
    require(opcode <= 2 || (opcode >= 8 && opcode <= 10), "a frame's opcode is known", bytes);
    std::size_t head = 2, length = byte(1);
    if (length == 126 && bytes.size() >= 4) head = 4, length = byte(2) << 8 | byte(3);
    if (length == 127 || bytes.size() < head + length) return;  // large, or cut off by an end
    const std::string_view payload = bytes.substr(head, length);
    if (opcode == 1 && (byte(0) & 0x80) != 0 && text_is_json) {
      json_error_t fault;
      const Json root(json_loadb(payload.data(), payload.size(), JSON_ALLOW_NUL, &fault));
      require(root != nullptr, fault.text, payload);
    }
    if (opcode == 8) require(length == 0 || length >= 2, "a close frame has a code", bytes);
    bytes.remove_prefix(head + length);
  }
}

// Does it say the token where an answer may give back what was said?
bool quotes_token(std::string_view request) {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string& token = house().token;
  for (std::size_t at = 0; (at = request.find(token, at)) != std::string_view::npos; at += token.size())
    if (!request.substr(0, at).ends_with(kBearer)) return true;
  return false;
}

void require_answers(std::string_view bytes, std::string_view request) {
  if (bytes.empty()) return;
  require(bytes.starts_with("HTTP/1."), "an answer is HTTP", bytes);
  const auto status = bytes.substr(std::min<std::size_t>(9, bytes.size()), 3);
  require(status.size() == 3 && std::ranges::all_of(status, [](char c) { return c >= '0' && c <= '9'; }) &&
              (status == "101" || status[0] == '2' || status[0] == '4' || status == "503"),  // no journal is here
          "an answer's status", bytes);
  const auto end = bytes.find("\r\n\r\n");
  require(end != std::string_view::npos, "an answer has a whole head", bytes);
  // A pong, a reply_to and an error give back what the client itself said.
  const auto ours = status == "101" ? bytes.substr(0, end) : bytes;
  require(quotes_token(request) || ours.find(house().token) == std::string_view::npos, "the token is told to nobody",
          bytes);
  if (status == "101")
    require_frames(bytes.substr(end + 4), bytes.substr(0, end).find("bindcast.v1.deflate") == std::string_view::npos);
}

void require_healthy() {
  Peer peer;
  peer.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  require(peer.listen().starts_with("HTTP/1.1 200 "), "the server still answers", peer.listen());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static int inputs = 0;
  std::string text(reinterpret_cast<const char*>(data), size);
  for (std::size_t at = 0; (at = text.find("TOKEN", at)) != std::string::npos; at += house().token.size())
    text.replace(at, 5, house().token);
  {
    Peer peer;
    fuzz::Input input(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    while (!input.empty()) peer.send(input.until('\x1e'));
    require_answers(peer.listen(), text);
  }
  for (int turn = 0; turn < kMostTurns && !house().server->stopped(); ++turn) house().turn();
  require(house().server->stopped(), "a connection that is gone is forgotten");
  if (++inputs % kBetweenHealthChecks == 0) require_healthy();
  return 0;
}
