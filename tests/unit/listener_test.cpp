// The server on real sockets: one thread turns the loop and plays the clients, so nothing waits for a time of its own.

#include "harness.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <memory>
#include <vector>

#include "plugin/server/server.hpp"

namespace {

using namespace bindcast;
using namespace std::chrono_literals;

constexpr std::int64_t kPatienceUs = 20'000'000;

Options loopback_options() {
  Options options;
  options.server.listen = {{.kind = ListenAddress::Kind::ipv4, .host = "127.0.0.1", .port = 0}};
  return options;
}

struct House {
  std::string folder;
  uv_loop_t loop{};
  std::vector<std::string> log;
  Options options;
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, read_clock()};
  Metrics metrics;
  Health health{hub};
  std::unique_ptr<Journal> journal;
  std::unique_ptr<Server> server;
  std::string token;
  bool ended = false;

  explicit House(Options wanted = loopback_options()) : options(std::move(wanted)) {
    char name[] = "/tmp/bindcast-listener-XXXXXX";
    folder = mkdtemp(name);
    uv_loop_init(&loop);
    JournalOptions none;
    none.enabled = false;
    const Log say_nothing = [](LogLevel, const std::string&) {};
    journal = std::make_unique<Journal>(hub, none, folder, say_nothing, [](const auto&) {});
    server = std::make_unique<Server>(ServerTools{&loop, hub, *journal, health, metrics,
                                                  [this](LogLevel, const std::string& line) { log.push_back(line); }},
                                      options, folder);
    server->start();
    std::ifstream(folder + "/bindcast.token") >> token;
  }
  ~House() {
    end();
    unlink((folder + "/bindcast.token").c_str());
    rmdir(folder.c_str());
  }
  // Turns the loop once, without waiting longer than a millisecond.
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
  // As the runtime ends it. True when the loop could be closed.
  bool end() {
    if (ended) return true;
    ended = true;
    server->begin_shutdown();
    until([this] { return server->stopped(); });
    server->finish();
    uv_run(&loop, UV_RUN_DEFAULT);
    server.reset();
    return uv_loop_close(&loop) == 0;
  }
  // The port of the n-th listener, as the log says it.
  [[nodiscard]] std::uint16_t port(std::size_t n = 0) const {
    for (const std::string& line : log) {
      const auto at = line.find("listening on 127.0.0.1:");
      if (at == 0 && n-- == 0) return static_cast<std::uint16_t>(std::stoi(line.substr(23)));
    }
    return 0;
  }
  void emit(EventType type) {
    Event event = make_event(type);
    event.data.add("zone", "example.com");
    hub.emit(std::move(event), read_clock());
  }
};

struct Frame {
  int opcode = 0;
  std::string payload;
  [[nodiscard]] int close_code() const {
    return opcode == 8 && payload.size() >= 2
               ? static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1])
               : 0;
  }
};

struct Peer {
  House& house;
  int fd = -1;
  std::string buffer;
  bool ended = false;

  Peer(House& h, std::uint16_t port) : house(h), fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ended = connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0;
    fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  explicit Peer(House& h) : Peer(h, h.port()) {}
  ~Peer() {
    if (fd >= 0) close(fd);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void send_all(std::string_view bytes) {
    house.until([&] {
      const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      if (sent < 0 && errno != EAGAIN) ended = true;
      return bytes.empty() || ended;
    });
  }
  void receive() {
    char chunk[65536];
    const ssize_t size = recv(fd, chunk, sizeof chunk, 0);
    if (size > 0) buffer.append(chunk, static_cast<std::size_t>(size));
    if (size == 0 || (size < 0 && errno != EAGAIN)) ended = true;
  }
  // The answer's head and, with Content-Length, its body.
  std::string http(const std::string& request) {
    send_all(request);
    std::size_t needed = 0;
    house.until([&] {
      receive();
      const auto head_end = buffer.find("\r\n\r\n");
      if (head_end != std::string::npos) {
        const auto at = buffer.find("content-length: ");
        const std::size_t body = at < head_end ? std::stoul(buffer.substr(at + 16)) : 0;
        needed = head_end + 4 + body;
      }
      return ended || (needed != 0 && buffer.size() >= needed);
    });
    if (needed == 0) needed = buffer.size();
    const std::string answer = buffer.substr(0, needed);
    buffer.erase(0, needed);
    return answer;
  }
  int upgrade(const std::string& headers = "", const std::string& path = "/ws") {
    const std::string answer =
        http("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(house.port()) +
             "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
             "Sec-WebSocket-Version: 13\r\n" +
             headers + "\r\n");
    return answer.size() > 12 ? std::atoi(answer.c_str() + 9) : 0;
  }
  [[nodiscard]] std::string bearer() const { return "Authorization: Bearer " + house.token + "\r\n"; }

  void send_frame(std::string_view payload, int opcode = 1, bool final = true) {
    std::string head(1, static_cast<char>((final ? 0x80 : 0) | opcode));
    if (payload.size() < 126) {
      head += static_cast<char>(0x80 | payload.size());
    } else {
      head += static_cast<char>(0x80 | 127);
      for (int shift = 56; shift >= 0; shift -= 8) head += static_cast<char>(payload.size() >> shift & 0xff);
    }
    head.append(4, '\0');  // a mask of zeroes is a mask
    send_all(head + std::string(payload));
  }
  bool take_frame(Frame& frame) {
    if (buffer.size() < 2) return false;
    const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(buffer[i]); };
    std::size_t at = 2, size = byte(1) & 0x7f;
    const std::size_t extra = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (buffer.size() < at + extra) return false;
    if (extra != 0) size = 0;
    for (std::size_t i = 0; i < extra; ++i) size = size << 8 | byte(at++);
    if (buffer.size() < at + size) return false;
    frame = {.opcode = byte(0) & 0x0f, .payload = buffer.substr(at, size)};
    buffer.erase(0, at + size);
    return true;
  }
  // The next frame that is no ping; opcode 0 when the connection ended first.
  Frame read() {
    Frame frame;
    house.until([&] {
      if (take_frame(frame) && frame.opcode != 9) return true;
      frame = {};
      receive();
      return ended && buffer.empty();
    });
    return frame;
  }
  // Reads on to a text that holds `part`; empty when the connection ended first.
  std::string read_to(std::string_view part) {
    while (true) {
      const Frame frame = read();
      if (frame.opcode == 0 || frame.opcode == 8) return {};
      if (frame.payload.find(part) != std::string::npos) return frame.payload;
    }
  }
  int read_close() {
    while (true) {
      const Frame frame = read();
      if (frame.opcode == 0 || frame.opcode == 8) return frame.close_code();
    }
  }
  // An admitted client.
  bool enter() { return upgrade(bearer()) == 101 && !read_to("connection_established").empty(); }
};

void connect_authenticate_subscribe_receive(void**) {
  House house;
  Peer client(house);
  assert_int_equal(client.upgrade(), 101);
  client.send_frame(R"({"type":"authenticate","data":{"token":")" + house.token + R"("}})");
  assert_contains(client.read_to("connection_established"), "\"admin\"");
  client.send_frame(R"({"type":"subscribe","id":1,"data":{"event_types":["zone_created"]}})");
  assert_contains(client.read_to("subscription_updated"), "\"reply_to\":1");
  house.emit(EventType::zone_created);
  assert_contains(client.read().payload, "\"zone_created\"");
}

void the_bound_address_is_the_one_that_was_asked_for(void**) {
  House house;
  assert_int_not_equal(house.port(), 0);
  // On all interfaces 127.0.0.2 would answer too.
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(house.port());
  inet_pton(AF_INET, "127.0.0.2", &to.sin_addr);
  assert_int_not_equal(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  close(fd);
}

void a_wrong_token_closes_with_4401(void**) {
  House house;
  Peer in_header(house);
  assert_int_equal(in_header.upgrade("Authorization: Bearer wrong\r\n"), 101);
  assert_int_equal(in_header.read_close(), 4401);
  Peer in_message(house);
  in_message.upgrade();
  in_message.send_frame(R"({"type":"authenticate","data":{"token":"wrong"}})");
  assert_int_equal(in_message.read_close(), 4401);
}

void only_pages_of_this_server_may_upgrade(void**) {
  struct Row {
    std::string origin;
    int status;
  };
  Options options = loopback_options();
  options.server.allowed_origins = {"https://dash.example"};
  House house(options);
  const std::string own = "127.0.0.1:" + std::to_string(house.port());
  for (const Row& row :
       {Row{"http://" + own, 101}, Row{"https://dash.example", 101}, Row{"http://evil.example", 403}, Row{"null", 403},
        Row{"http://127.0.0.1:1", 403}, Row{"http://" + own + ".evil.example", 403}}) {
    Peer page(house);
    assert_int_equal(page.upgrade(page.bearer() + "Origin: " + row.origin + "\r\n"), row.status);
  }
  // A name that was made to resolve to us: origin and host agree, and it is refused all the same.
  Peer rebound(house);
  const std::string answer = rebound.http(
      "GET /ws HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  assert_contains(answer.substr(0, 20), " 403 ");
}

void http_serves_little_and_guards_the_status(void**) {
  struct Row {
    std::string request_line, headers;
    std::string status, part;
  };
  House house;
  const std::string bearer = "Authorization: Bearer " + house.token + "\r\n";
  for (const Row& row :
       {Row{"GET /healthz", "", " 200 ", "\"ok\""}, Row{"GET /api/v1/status", "", " 401 ", "error"},
        Row{"GET /api/v1/status", "Authorization: Bearer wrong\r\n", " 401 ", "error"},
        Row{"GET /api/v1/status", bearer, " 200 ", "\"uptime_seconds\""}, Row{"GET /elsewhere", "", " 404 ", "error"},
        Row{"GET /ws", "", " 426 ", "error"}, Row{"POST /healthz", "Content-Length: 0\r\n", " 405 ", "error"}}) {
    Peer client(house);
    const std::string answer =
        client.http(row.request_line + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + row.headers + "\r\n");
    assert_contains(answer.substr(0, 20), row.status);
    assert_contains(answer, row.part);
  }
  Peer elsewhere(house);
  assert_int_equal(elsewhere.upgrade(elsewhere.bearer(), "/elsewhere"), 404);
  Peer alias(house);
  assert_int_equal(alias.upgrade(alias.bearer(), "/api/websocket/ws"), 101);
}

// libwebsockets 4.1 spins on the body that the second of two requests at once announces.
void a_connection_carries_one_request(void**) {
  for (const std::string header : {"", "Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n"}) {
    House house;
    Peer client(house);
    client.send_all("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n" + header + "\r\n");
    assert_true(house.until([&] {
      client.receive();
      return client.ended;
    }));
    assert_contains(client.buffer, " 200 ");
    assert_contains(client.buffer, "connection: close");
    assert_true(client.buffer.find("HTTP/1.1", 1) == std::string::npos);
  }
}

void bodies_are_announced_and_bounded(void**) {
  struct Row {
    std::string header, status;
  };
  for (const Row& row :
       {Row{"Content-Length: 100000\r\n", " 413 "}, Row{"Content-Length: -1\r\n", " 400 "},
        Row{"Content-Length: 1x\r\n", " 400 "}, Row{"", " 411 "}, Row{"Transfer-Encoding: chunked\r\n", " 411 "}}) {
    House house;
    Peer client(house);
    assert_contains(client.http("POST /api/v1/login HTTP/1.1\r\nHost: x\r\n" + row.header + "\r\n").substr(0, 20),
                    row.status);
  }
}

void a_body_that_does_not_come_is_given_up(void**) {
  House house;
  Peer client(house);
  client.send_all("POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
  const auto answered_after = [&](std::int64_t us) {
    for (int turn = 0; turn < 20 && client.buffer.empty(); ++turn) {
      Now now = read_clock();
      now.mono_us += us;
      house.server->tick(now);
      house.turn();
      client.receive();
    }
    return !client.buffer.empty();
  };
  assert_false(answered_after(Exchanges::kBodyUs - 5'000'000));
  assert_true(answered_after(Exchanges::kBodyUs + 5'000'000));
  assert_contains(client.buffer.substr(0, 20), " 408 ");
}

void fragments_make_one_message(void**) {
  House house;
  Peer client(house);
  assert_true(client.enter());
  client.send_frame(R"({"type":)", 1, false);
  client.send_frame(R"("ping",)", 0, false);
  client.send_frame(R"("id":"f"})", 0, true);
  assert_contains(client.read_to("pong"), "\"reply_to\":\"f\"");
}

void a_message_too_large_is_refused_and_the_next_is_read(void**) {
  House house;
  Peer client(house);
  assert_true(client.enter());
  client.send_frame(R"({"type":"ping","data":{"x":")" + std::string(100'000, 'x') + "\"}}");
  assert_contains(client.read().payload, "TOO_LARGE");
  client.send_frame(R"({"type":"ping","id":2})");
  assert_contains(client.read().payload, "\"reply_to\":2");
}

void a_binary_message_is_refused_and_the_next_is_read(void**) {
  House house;
  Peer client(house);
  assert_true(client.enter());
  client.send_frame(std::string(2000, '\1'), 2);
  assert_contains(client.read().payload, "INVALID_MESSAGE");
  client.send_frame(R"({"type":"ping","id":2})");
  assert_contains(client.read().payload, "\"reply_to\":2");
}

void offences_close_with_1008(void**) {
  House house;
  Peer client(house), other(house);
  assert_true(client.enter());
  assert_true(other.enter());
  for (int i = 0; i < 12; ++i) client.send_frame("no json");
  assert_int_equal(client.read_close(), 1008);
  other.send_frame(R"({"type":"ping"})");
  assert_false(other.read_to("pong").empty());
}

void a_full_server_closes_with_1013_and_has_room_again_later(void**) {
  Options options = loopback_options();
  options.server.max_connections = 1;
  House house(options);
  {
    Peer first(house);
    assert_true(first.enter());
    Peer late(house);
    assert_int_equal(late.upgrade(late.bearer()), 101);
    assert_int_equal(late.read_close(), 1013);
  }
  assert_true(house.until([&] { return house.server->stopped(); }));
  Peer next(house);
  assert_true(next.enter());
}

void a_user_has_only_so_many_connections(void**) {
  Options options = loopback_options();
  options.server.max_connections_per_user = 1;
  House house(options);
  Peer first(house), second(house);
  assert_true(first.enter());
  assert_int_equal(second.upgrade(second.bearer()), 101);
  assert_int_equal(second.read_close(), 4429);
}

void large_events_arrive_whole(void**) {
  House house;
  Peer client(house);
  assert_true(client.enter());
  client.send_frame(R"({"type":"subscribe","data":{"event_types":["custom_event"]}})");
  client.read_to("subscription_updated");
  for (int i = 0; i < 5; ++i) {
    Event event = make_event(EventType::custom_event);
    event.data.add("text", std::string(300'000, static_cast<char>('a' + i)));
    house.hub.emit(std::move(event), read_clock());
  }
  for (int i = 0; i < 5; ++i) assert_contains(client.read().payload, std::string(300'000, static_cast<char>('a' + i)));
}

// A client that stops reading: what it missed is counted in gaps, so that delivered and lost make up all.
void a_client_that_does_not_read_is_told_what_it_missed(void**) {
  constexpr std::uint64_t kEvents = 4'000;  // more than the sockets' buffers hold
  House house;
  Peer client(house);
  assert_true(client.enter());
  client.send_frame(R"({"type":"subscribe","data":{"event_types":["zone_created"]}})");
  client.read_to("subscription_updated");
  for (std::uint64_t i = 0; i < kEvents; ++i) {
    Event event = make_event(EventType::zone_created);
    event.data.add("text", std::string(6000, 'x'));
    house.hub.emit(std::move(event), read_clock());
    if (i % 20 == 0) uv_run(&house.loop, UV_RUN_NOWAIT);
  }
  std::uint64_t delivered = 0, lost = 0;
  while (delivered + lost < kEvents) {
    const Frame frame = client.read();
    assert_int_equal(frame.opcode, 1);
    if (frame.payload.find("\"type\":\"gap\"") == std::string::npos) {
      ++delivered;
    } else {
      assert_contains(frame.payload, "queue_overflow");
      lost += std::stoull(frame.payload.substr(frame.payload.find("\"count\":") + 8));
    }
  }
  assert_int_equal(delivered + lost, kEvents);
  assert_true(lost > 0);
  assert_true(delivered > 0);
}

void a_peer_that_answers_no_ping_is_dropped(void**) {
  Options options = loopback_options();
  options.server.heartbeat = 1s;
  House house(options);
  Peer dead(house);
  assert_true(dead.enter());
  Now now = read_clock();
  now.mono_us += 1'200'000;
  house.server->tick(now);
  Frame frame;
  assert_true(house.until([&] {
    dead.receive();
    return dead.take_frame(frame);
  }));
  assert_int_equal(frame.opcode, 9);
  now.mono_us += 1'200'000;
  house.server->tick(now);
  assert_int_equal(dead.read().opcode, 0);
}

void the_end_says_1001_after_the_last_event_and_leaves_the_loop_closable(void**) {
  House house;
  Peer client(house);
  assert_true(client.enter());
  client.send_frame(R"({"type":"subscribe","data":{"event_types":["service_stopped"]}})");
  client.read_to("subscription_updated");
  house.emit(EventType::service_stopped);
  house.server->begin_shutdown();
  assert_false(client.read_to("service_stopped").empty());
  assert_int_equal(client.read_close(), 1001);
  client.send_frame("\x03\xe9", 8);
  assert_true(house.until([&] { return house.server->stopped(); }));
  assert_true(house.end());
}

// A peer that never takes its close frame must not hold the end up for ever: the runtime's patience ends, and so does
// it.
void the_end_with_clients_that_do_not_answer_leaves_the_loop_closable(void**) {
  House house;
  Peer half(house), idle(house);
  half.send_all("GET /ws HTTP/1.1\r\nHost: x\r\n");
  assert_true(idle.enter());
  house.server->begin_shutdown();
  for (int i = 0; i < 20; ++i) house.turn();
  house.ended = true;
  house.server->finish();
  uv_run(&house.loop, UV_RUN_DEFAULT);
  house.server.reset();
  assert_int_equal(uv_loop_close(&house.loop), 0);
}

// Whether anybody accepts on that port.
bool accepted(House& house, std::uint16_t port) {
  const Peer probe(house, port);
  return !probe.ended;
}

void listeners_come_and_go_with_the_options(void**) {
  House house;
  const std::uint16_t first = house.port();
  assert_true(accepted(house, first));
  // Another address, so that the first one is no longer asked for.
  Options other = house.options;
  const int free_port = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  assert_int_equal(bind(free_port, reinterpret_cast<sockaddr*>(&address), size), 0);
  getsockname(free_port, reinterpret_cast<sockaddr*>(&address), &size);
  close(free_port);
  other.server.listen[0].port = ntohs(address.sin_port);
  house.server->apply(other);
  assert_true(accepted(house, other.server.listen[0].port));
  assert_true(house.until([&] { return !accepted(house, first); }));
}

// What an endless message sends is not read for ever.
void an_endless_message_ends_the_connection(void**) {
  House house;
  Peer client(house);
  assert_true(client.enter());
  client.send_frame(std::string(10'000, 'x'), 1, false);
  for (int i = 0; i < 2'000 && !client.ended; ++i) client.send_frame(std::string(10'000, 'x'), 0, false);
  assert_true(client.ended);
}

void a_port_that_is_taken_is_tried_again(void**) {
  const int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  assert_int_equal(bind(taken, reinterpret_cast<sockaddr*>(&address), size), 0);
  assert_int_equal(listen(taken, 1), 0);
  getsockname(taken, reinterpret_cast<sockaddr*>(&address), &size);
  Options options = loopback_options();
  options.server.listen[0].port = ntohs(address.sin_port);
  House house(options);
  assert_int_equal(house.port(), 0);
  assert_contains(house.log.back(), "127.0.0.1:" + std::to_string(options.server.listen[0].port));
  close(taken);
  Now now = read_clock();
  house.server->tick(now);
  assert_int_equal(house.port(), 0);  // not before five seconds have passed
  now.mono_us += 6'000'000;
  house.server->tick(now);
  assert_int_equal(house.port(), options.server.listen[0].port);
  Peer client(house);
  assert_true(client.enter());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(connect_authenticate_subscribe_receive),
      cmocka_unit_test(the_bound_address_is_the_one_that_was_asked_for),
      cmocka_unit_test(a_wrong_token_closes_with_4401),
      cmocka_unit_test(only_pages_of_this_server_may_upgrade),
      cmocka_unit_test(http_serves_little_and_guards_the_status),
      cmocka_unit_test(a_connection_carries_one_request),
      cmocka_unit_test(bodies_are_announced_and_bounded),
      cmocka_unit_test(a_body_that_does_not_come_is_given_up),
      cmocka_unit_test(fragments_make_one_message),
      cmocka_unit_test(a_message_too_large_is_refused_and_the_next_is_read),
      cmocka_unit_test(a_binary_message_is_refused_and_the_next_is_read),
      cmocka_unit_test(offences_close_with_1008),
      cmocka_unit_test(a_full_server_closes_with_1013_and_has_room_again_later),
      cmocka_unit_test(a_user_has_only_so_many_connections),
      cmocka_unit_test(large_events_arrive_whole),
      cmocka_unit_test(a_client_that_does_not_read_is_told_what_it_missed),
      cmocka_unit_test(a_peer_that_answers_no_ping_is_dropped),
      cmocka_unit_test(the_end_says_1001_after_the_last_event_and_leaves_the_loop_closable),
      cmocka_unit_test(the_end_with_clients_that_do_not_answer_leaves_the_loop_closable),
      cmocka_unit_test(listeners_come_and_go_with_the_options),
      cmocka_unit_test(an_endless_message_ends_the_connection),
      cmocka_unit_test(a_port_that_is_taken_is_tried_again),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
