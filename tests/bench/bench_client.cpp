// Many WebSocket clients in one thread that only count: frames, bytes, events, what they were told that they missed,
// and how long urgent events took.
//
//   bench_client --port N --token FILE [--clients N] [--subprotocol NAME] [--preferences JSON] [--subscribe JSON]
//                [--inflate N]
//
// The JSON texts are the `data` of set_preferences and of subscribe; %d in the latter is the client's number, from 0.
// Compressed frames are only counted, but by the first N clients of --inflate (default 1), who read them. A client
// whose events can be counted is a counting one: each without compression, those of --inflate with it.
//
// Prints {"ready":N} when all are subscribed; what comes before that is not counted. Then each line on stdin is a
// command and is answered by one line of JSON:
//
//   report            all so far
//   wait TOLD MS      as report, as soon as each counting client was told of TOLD queries, delivered or missed (those
//                     that the capture lost are not among them), or after MS milliseconds
//   quit              also the end of stdin
//
// Ends with status 1 and a line on stderr when the server refuses something, closes, or sends what is no frame.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kAtOnce = 32;  // upgrades under way: libwebsockets holds the headers of so many at a time
constexpr std::size_t kMaxFrameBytes = 64 * 1024 * 1024;
constexpr std::int64_t kReadyWithinNs = 60'000'000'000;
constexpr std::string_view kQueryMarker = "\"type\":\"dns_query_log\"";
constexpr std::string_view kAlertMarker = "\"type\":\"security_alert\"";

enum Opcode : std::uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

std::int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Where `part` next stands in `text`, or npos. memmem: string_view's own find stops at every quote.
std::size_t next_of(std::string_view text, std::string_view part, std::size_t from) {
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  return found == nullptr ? text.npos : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = next_of(text, part, 0); at != text.npos; at = next_of(text, part, at + part.size())) ++found;
  return found;
}

// The number after `key` in `text`, or 0.
std::uint64_t number_after(std::string_view text, std::string_view key, std::size_t from = 0) {
  const std::size_t at = text.find(key, from);
  std::uint64_t number = 0;
  if (at != text.npos) std::from_chars(text.data() + at + key.size(), text.data() + text.size(), number);
  return number;
}

// One zlib stream to a text that is valid until the next call.
class Inflater {
 public:
  Inflater() : text_(1024 * 1024, '\0') {
    if (inflateInit(&stream_) != Z_OK) throw std::runtime_error("inflateInit");
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  std::string_view read(std::string_view packed) {
    inflateReset(&stream_);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    for (std::size_t size = 0;;) {
      stream_.next_out = reinterpret_cast<Bytef*>(text_.data() + size);
      stream_.avail_out = static_cast<uInt>(text_.size() - size);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      size = text_.size() - stream_.avail_out;
      if (result == Z_STREAM_END && stream_.avail_in == 0) return {text_.data(), size};
      if (result != Z_OK || stream_.avail_out != 0 || text_.size() >= kMaxFrameBytes)
        throw std::runtime_error("a binary frame is not one zlib stream");
      text_.resize(text_.size() * 2);
    }
  }

 private:
  z_stream stream_{};
  std::string text_;
};

struct Arguments {
  int port = 0;
  std::string token, subprotocol, preferences, subscribe = "{}";
  std::size_t clients = 1, inflating = 1;
};

struct Client {
  enum class State : std::uint8_t { upgrading, subscribing, ready };
  std::size_t number = 0;
  int fd = -1;
  State state = State::upgrading;
  bool counting = false;
  std::string pending;  // the beginning of a frame that is not whole yet
  std::string message;  // fragments so far
  bool binary = false;
  std::uint64_t told = 0;
};

class Crowd {
 public:
  explicit Crowd(Arguments arguments) : arguments_(std::move(arguments)), received_(256 * 1024, '\0') {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) throw std::runtime_error("epoll_create1");
    clients_.resize(arguments_.clients);
    for (std::size_t i = 0; i < clients_.size(); ++i) clients_[i].number = i;
    watch(STDIN_FILENO, kStdin);
  }
  ~Crowd() {
    for (const Client& client : clients_)
      if (client.fd >= 0) close(client.fd);
    close(epoll_);
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  void run() {
    const std::int64_t ready_by = now_ns() + kReadyWithinNs;
    while (!ended_) {
      while (opened_ < clients_.size() && opened_ - ready_ < kAtOnce) open(clients_[opened_++]);
      if (ready_ < clients_.size() && now_ns() > ready_by) throw std::runtime_error("not all are subscribed in time");
      epoll_event events[64];
      const int happened = epoll_wait(epoll_, events, 64, timeout_ms());
      for (int i = 0; i < happened && !ended_; ++i) {
        if (events[i].data.u64 == kStdin) {
          read_commands();
        } else {
          receive(clients_[events[i].data.u64]);
        }
      }
      if (waiting_ && (satisfied_ == counting_ || now_ns() >= wait_until_ns_)) {
        waiting_ = false;
        report("wait");
      }
    }
  }

 private:
  static constexpr std::uint64_t kStdin = UINT64_MAX;

  void watch(int fd, std::uint64_t data) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = data;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) throw std::runtime_error("epoll_ctl");
  }

  [[nodiscard]] int timeout_ms() const {
    if (ready_ < clients_.size()) return 1000;
    if (!waiting_) return -1;
    return static_cast<int>(std::max<std::int64_t>(0, (wait_until_ns_ - now_ns()) / 1'000'000 + 1));
  }

  // ── Sending ──

  void open(Client& client) {
    client.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(arguments_.port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (client.fd < 0 || connect(client.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
    const int yes = 1;
    setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(client.fd, F_SETFL, O_NONBLOCK);
    watch(client.fd, client.number);
    std::string request = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(arguments_.port) +
                          "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer " +
                          arguments_.token + "\r\n";
    if (!arguments_.subprotocol.empty()) request += "Sec-WebSocket-Protocol: " + arguments_.subprotocol + "\r\n";
    send_all(client, request + "\r\n");
  }

  // What a client says is short, and a socket that has said nothing yet takes it.
  static void send_all(const Client& client, std::string_view bytes) {
    if (send(client.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("the server takes no request");
  }

  static void send_frame(const Client& client, Opcode opcode, std::string_view payload) {
    std::string frame(1, static_cast<char>(0x80 | opcode));
    if (payload.size() < 126) {
      frame += static_cast<char>(0x80 | payload.size());
    } else {
      frame += static_cast<char>(0x80 | 126);
      frame += static_cast<char>(payload.size() >> 8 & 0xff);
      frame += static_cast<char>(payload.size() & 0xff);
    }
    frame.append(4, '\0');  // a mask of zeroes is a mask
    frame += payload;
    send_all(client, frame);
  }

  static void send_message(const Client& client, std::string_view type, std::string_view data) {
    send_frame(client, kText, "{\"type\":\"" + std::string(type) + "\",\"data\":" + std::string(data) + "}");
  }

  [[nodiscard]] std::string subscription(std::size_t number) const {
    std::string text = arguments_.subscribe;
    for (std::size_t at = text.find("%d"); at != text.npos; at = text.find("%d", at))
      text.replace(at, 2, std::to_string(number));
    return text;
  }

  // ── Receiving ──

  void receive(Client& client) {
    const ssize_t size = recv(client.fd, received_.data(), received_.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) throw std::runtime_error("the server ended a connection");
    arrived_ns_ = now_ns();
    std::string_view bytes(received_.data(), static_cast<std::size_t>(size));
    if (!client.pending.empty()) {
      client.pending += bytes;
      bytes = client.pending;
    }
    std::size_t used = 0;
    if (client.state == Client::State::upgrading) used = upgraded(client, bytes);
    if (client.state != Client::State::upgrading)
      while (const std::size_t frame = take_frame(client, bytes.substr(used))) used += frame;
    if (bytes.data() == client.pending.data()) {
      client.pending.erase(0, used);
    } else {
      client.pending.assign(bytes.substr(used));
    }
  }

  std::size_t upgraded(Client& client, std::string_view bytes) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == bytes.npos) return 0;
    if (!bytes.starts_with("HTTP/1.1 101"))
      throw std::runtime_error("no upgrade: " + std::string(bytes.substr(0, bytes.find('\r'))));
    client.state = Client::State::subscribing;
    if (!arguments_.preferences.empty()) send_message(client, "set_preferences", arguments_.preferences);
    send_message(client, "subscribe", subscription(client.number));
    return end + 4;
  }

  // The size of the first frame, which was dealt with; 0 when it is not whole yet.
  std::size_t take_frame(Client& client, std::string_view bytes) {
    if (bytes.size() < 2) return 0;
    const auto byte = [bytes](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
    std::size_t payload = byte(1) & 0x7f, header = 2;
    if ((byte(1) & 0x80) != 0 || (byte(0) & 0x70) != 0) throw std::runtime_error("no frame of a server");
    if (payload >= 126) {
      header = payload == 126 ? 4 : 10;
      if (bytes.size() < header) return 0;
      payload = 0;
      for (std::size_t i = 2; i < header; ++i) payload = payload << 8 | byte(i);
      if (payload > kMaxFrameBytes) throw std::runtime_error("a frame is too large");
    }
    if (bytes.size() < header + payload) return 0;
    if (client.state == Client::State::ready) {
      ++frames_;
      wire_bytes_ += header + payload;
    }
    take_payload(client, (byte(0) & 0x80) != 0, static_cast<Opcode>(byte(0) & 0x0f), bytes.substr(header, payload));
    return header + payload;
  }

  void take_payload(Client& client, bool last, Opcode opcode, std::string_view payload) {
    switch (opcode) {
      case kPing:
        send_frame(client, kPong, payload);
        return;
      case kPong:
        return;
      case kClose:
        throw std::runtime_error("the server closes: " +
                                 std::string(payload.substr(std::min<std::size_t>(2, payload.size()))));
      default:
        break;
    }
    if (opcode != kContinuation) client.binary = opcode == kBinary;
    if (last && client.message.empty()) {
      take_message(client, payload);
      return;
    }
    client.message += payload;
    if (client.message.size() > kMaxFrameBytes) throw std::runtime_error("a message is too large");
    if (!last) return;
    take_message(client, client.message);
    client.message.clear();
  }

  void take_message(Client& client, std::string_view text) {
    const bool ready = client.state == Client::State::ready;
    if (client.binary) {
      if (ready && !client.counting) return;
      text = inflater_.read(text);
    }
    if (text.starts_with("{\"type\":\"error\"")) throw std::runtime_error("the server says: " + std::string(text));
    if (!ready) {
      if (text.starts_with("{\"type\":\"subscription_updated\"")) subscribed(client);
      return;
    }
    if (!client.counting) return;
    plain_bytes_ += text.size();
    if (text.starts_with("{\"type\":\"gap\"")) {
      const std::size_t at = text.find("\"reason\":\"") + std::string_view("\"reason\":\"").size();
      const std::string reason(text.substr(at, text.find('"', at) - at));
      const std::uint64_t missed = number_after(text, "\"count\":");
      missed_[reason] += missed;
      if (reason != "capture_overflow") tell(client, missed);
      return;
    }
    const std::size_t events = count(text, kQueryMarker);
    events_ += events;
    tell(client, events);
    for (std::size_t at = next_of(text, kAlertMarker, 0); at != text.npos; at = next_of(text, kAlertMarker, at + 1))
      latencies_ns_.push_back(arrived_ns_ - static_cast<std::int64_t>(number_after(text, "\"sent_ns\":", at)));
  }

  void subscribed(Client& client) {
    client.state = Client::State::ready;
    client.counting = arguments_.subprotocol != "bindcast.v1.deflate" || client.number < arguments_.inflating;
    counting_ += client.counting ? 1U : 0U;
    if (++ready_ != clients_.size()) return;
    std::printf("{\"ready\":%zu}\n", ready_);
    std::fflush(stdout);
  }

  void tell(Client& client, std::uint64_t news) {
    if (client.told < wait_told_ && client.told + news >= wait_told_) ++satisfied_;
    client.told += news;
  }

  // ── Commands ──

  void read_commands() {
    char bytes[4096];
    const ssize_t size = read(STDIN_FILENO, bytes, sizeof bytes);
    if (size <= 0) {
      ended_ = true;
      return;
    }
    commands_.append(bytes, static_cast<std::size_t>(size));
    for (std::size_t end = commands_.find('\n'); end != commands_.npos && !ended_; end = commands_.find('\n')) {
      obey(commands_.substr(0, end));
      commands_.erase(0, end + 1);
    }
  }

  void obey(const std::string& line) {
    std::istringstream words(line);
    std::string name;
    std::int64_t ms = 0;
    words >> name;
    if (name == "quit") {
      ended_ = true;
    } else if (name == "report") {
      report("report");
    } else if (name == "wait" && words >> wait_told_ >> ms && ms >= 0 && ms <= 600'000) {
      waiting_ = true;
      wait_until_ns_ = now_ns() + ms * 1'000'000;
      satisfied_ = static_cast<std::size_t>(
          std::ranges::count_if(clients_, [this](const Client& c) { return c.counting && c.told >= wait_told_; }));
    } else {
      throw std::runtime_error("no such command: " + line);
    }
  }

  void report(const char* command) {
    std::uint64_t least = UINT64_MAX, most = 0;
    for (const Client& client : clients_) {
      if (!client.counting) continue;
      least = std::min(least, client.told);
      most = std::max(most, client.told);
    }
    if (counting_ == 0) least = 0;
    std::ranges::sort(latencies_ns_);
    const auto percentile_us = [this](std::size_t of_thousand) {
      if (latencies_ns_.empty()) return 0.0;
      return static_cast<double>(latencies_ns_[(latencies_ns_.size() - 1) * of_thousand / 1000]) / 1000;
    };
    std::string missed;
    for (const auto& [reason, number] : missed_)
      missed += (missed.empty() ? "\"" : ",\"") + reason + "\":" + std::to_string(number);
    std::printf(
        "{\"command\":\"%s\",\"at_ns\":%lld,\"clients\":%zu,\"counting\":%zu,\"reached\":%s,\"frames\":%llu,"
        "\"wire_bytes\":%llu,\"plain_bytes\":%llu,\"events\":%llu,\"missed\":{%s},\"told_least\":%llu,\"told_most\":%"
        "llu,"
        "\"urgent\":{\"count\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}}\n",
        command, static_cast<long long>(now_ns()), ready_, counting_, satisfied_ == counting_ ? "true" : "false",
        static_cast<unsigned long long>(frames_), static_cast<unsigned long long>(wire_bytes_),
        static_cast<unsigned long long>(plain_bytes_), static_cast<unsigned long long>(events_), missed.c_str(),
        static_cast<unsigned long long>(least), static_cast<unsigned long long>(most), latencies_ns_.size(),
        percentile_us(500), percentile_us(990), percentile_us(1000));
    std::fflush(stdout);
  }

  Arguments arguments_;
  int epoll_ = -1;
  std::vector<Client> clients_;
  std::size_t opened_ = 0, ready_ = 0, counting_ = 0;
  std::string received_;
  Inflater inflater_;
  std::int64_t arrived_ns_ = 0;

  std::string commands_;
  bool ended_ = false, waiting_ = false;
  std::uint64_t wait_told_ = 0;
  std::int64_t wait_until_ns_ = 0;
  std::size_t satisfied_ = 0;  // counting clients who were told of wait_told_

  std::uint64_t frames_ = 0, wire_bytes_ = 0, plain_bytes_ = 0, events_ = 0;
  std::map<std::string, std::uint64_t> missed_;
  std::vector<std::int64_t> latencies_ns_;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  const auto number = [](const char* text, std::size_t most) {
    std::size_t value = 0;
    const std::string_view whole(text);
    const auto [end, fault] = std::from_chars(whole.data(), whole.data() + whole.size(), value);
    if (fault != std::errc() || end != whole.data() + whole.size() || value > most)
      throw std::runtime_error("no number that will do: " + std::string(whole));
    return value;
  };
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) throw std::runtime_error("a value is missing: " + std::string(name));
    const char* value = argv[i + 1];
    if (name == "--port") {
      arguments.port = static_cast<int>(number(value, 65535));
    } else if (name == "--token") {
      std::getline(std::ifstream(value), arguments.token);
    } else if (name == "--clients") {
      arguments.clients = std::max<std::size_t>(1, number(value, 10'000));
    } else if (name == "--subprotocol") {
      arguments.subprotocol = value;
    } else if (name == "--preferences") {
      arguments.preferences = value;
    } else if (name == "--subscribe") {
      arguments.subscribe = value;
    } else if (name == "--inflate") {
      arguments.inflating = number(value, 10'000);
    } else {
      throw std::runtime_error("no such option: " + std::string(name));
    }
  }
  if (arguments.port == 0 || arguments.token.empty()) throw std::runtime_error("--port and --token are needed");
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Crowd(parse(argc, argv)).run();
    return 0;
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "bench_client: %s\n", fault.what());
    return 1;
  }
}
