// A DNS host of nothing but load: starts the runtime by the C ABI and makes queries and alerts on command.
//
//   bench_host [CONFIGURATION]
//
// Without a configuration it listens on a free port of 127.0.0.1. Its first line on stdout is
// {"port":N,"token":"PATH"}; then each line on stdin is a command and is answered by one line of JSON:
//
//   queries PER_SECOND SECONDS  that many queries a second, spread evenly; what finds no room is lost, as in a server
//   burst COUNT                 as fast as they are taken; what finds no room is offered again until it is taken
//   urgent COUNT PER_SECOND     security_alert with the time of its making in data.sent_ns (CLOCK_MONOTONIC)
//   cpu                         CPU seconds of the loop's thread and of the process, resident memory
//   quit                        also the end of stdin
//
// `queries` and `burst` share one thread, `urgent` has its own: one of each may be under way at a time, a second one is
// refused. `cpu` is answered at once. Every number is bounded.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

#include "shim/bindcast.h"
#include "traffic.hpp"

namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr std::uint64_t kShortestSleepNs = 200'000;  // many queries a turn cost less than a turn for each
constexpr auto kWaitForRoom = std::chrono::microseconds(50);

std::uint64_t clock_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t now_ns() {
  return clock_ns(CLOCK_MONOTONIC);
}

void sleep_until(std::uint64_t at_ns) {
  const timespec at{.tv_sec = static_cast<time_t>(at_ns / kNsPerSecond),
                    .tv_nsec = static_cast<long>(at_ns % kNsPerSecond)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
}

void answer(const std::string& line) {
  static std::mutex lock;
  const std::lock_guard guard(lock);
  std::cout << line << std::endl;
}

std::string field(std::string_view name, std::uint64_t value) {
  return ",\"" + std::string(name) + "\":" + std::to_string(value);
}

std::string field(std::string_view name, double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9f", value);
  return ",\"" + std::string(name) + "\":" + text;
}

std::string command(std::string_view name) {
  return "{\"command\":\"" + std::string(name) + "\"";
}

// One thing at a time on a thread of its own; it answers when the next one may come.
class Lane {
 public:
  ~Lane() { wait(); }
  bool start(std::function<std::string()> work) {
    if (busy_.exchange(true)) return false;
    wait();
    thread_ = std::thread([this, work = std::move(work)] {
      const std::string line = work();
      busy_ = false;
      answer(line);
    });
    return true;
  }

 private:
  void wait() {
    if (thread_.joinable()) thread_.join();
  }
  std::atomic<bool> busy_{false};
  std::thread thread_;
};

class Host {
 public:
  Host(const char* configuration, std::string folder) : folder_(std::move(folder)) {
    std::string path = configuration == nullptr ? folder_ + "/bindcast.yaml" : configuration;
    if (configuration == nullptr) std::ofstream(path) << "server: {listen: \"127.0.0.1:0\"}\n";
    bindcast_host host{};
    host.size = sizeof host;
    host.name = "benchhost";
    host.version = "1";
    host.state_dir = folder_.c_str();
    host.log = &Host::on_log;
    host.log_closure = this;
    runtime_ = bindcast_start(&host, path.c_str());
    if (runtime_ != nullptr) producer_ = bindcast_producer_create(runtime_);
  }
  ~Host() {
    stopping_ = true;
    queries_.reset();
    alerts_.reset();
    if (runtime_ != nullptr) bindcast_stop(runtime_);
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // False when it does not listen.
  bool announce() {
    std::unique_lock lock(mutex_);
    if (producer_ == nullptr || !listening_.wait_for(lock, std::chrono::seconds(10), [this] { return port_ != 0; }))
      return false;
    if (!find_loop()) return false;
    answer("{\"port\":" + std::to_string(port_) + ",\"token\":\"" + folder_ + "/bindcast.token\"}");
    return true;
  }

  // False for the end.
  bool obey(const std::string& line) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t number = 0;
    double second = 0;
    words >> name;
    const auto read = [&](auto& value, auto least, auto most) {
      return (words >> value) && value >= least && value <= most;
    };
    if (name == "quit") return false;
    if (name == "cpu") {
      tell_cpu();
    } else if (name == "queries" && read(number, 1U, 5'000'000U) && read(second, 0.01, 600.0)) {
      start(*queries_, name, [this, number, second] { return run_queries(number, second); });
    } else if (name == "burst" && read(number, 1U, 100'000'000U)) {
      start(*queries_, name, [this, number] { return run_burst(number); });
    } else if (name == "urgent" && read(number, 1U, 1'000'000U) && read(second, 1.0, 100'000.0)) {
      start(*alerts_, name, [this, number, second] { return run_alerts(number, second); });
    } else {
      answer(R"({"error":"no such command, or a number is missing or out of bounds"})");
    }
    return true;
  }

 private:
  static void on_log(void* closure, bindcast_log_level level, const char* line) {
    auto& host = *static_cast<Host*>(closure);
    constexpr std::string_view kBound = "listening on 127.0.0.1:";
    if (const char* bound = std::strstr(line, kBound.data()); bound != nullptr) {
      const std::lock_guard lock(host.mutex_);
      host.port_ = std::atoi(bound + kBound.size());
      host.listening_.notify_all();
    }
    if (level == BINDCAST_LOG_ERROR) std::fprintf(stderr, "bench_host: %s\n", line);
  }

  static void start(Lane& lane, const std::string& name, std::function<std::string()> work) {
    if (!lane.start(std::move(work))) answer(command(name) + R"(,"error":"busy"})");
  }

  // The runtime's loop is known by its thread's name.
  bool find_loop() {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      std::getline(std::ifstream(task.path() / "comm"), name);
      if (name != "bindcast-loop") continue;
      // A thread's CPU clock by its id, as Linux numbers clocks: ~id, then 3 bits that say "scheduler's, of a thread".
      loop_clock_ = static_cast<clockid_t>(~static_cast<unsigned>(std::stoi(task.path().filename())) << 3 | 6U);
      return true;
    }
    return false;
  }

  void tell_cpu() {
    std::uint64_t pages = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> pages >> resident;
    const auto seconds = [](clockid_t clock) { return static_cast<double>(clock_ns(clock)) / kNsPerSecond; };
    answer(command("cpu") + field("loop_s", seconds(loop_clock_)) +
           field("process_s", seconds(CLOCK_PROCESS_CPUTIME_ID)) +
           field("rss_kb", resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) / 1024) + "}");
  }

  bool offer(const bench::Question& question) {
    bindcast_query query{};
    query.size = sizeof query;
    query.client.family = question.family;
    std::memcpy(query.client.bytes, question.client.data(), sizeof query.client.bytes);
    query.client.port = question.port;
    query.transport = BINDCAST_UDP;
    query.qname = question.qname.data();
    query.qname_length = question.qname_size;
    query.qtype = question.qtype;
    query.qclass = 1;
    query.rcode = question.rcode;
    query.flags = question.flags;
    query.answers = question.answers;
    query.authority = question.authority;
    query.ended_ns = now_ns();
    query.started_ns = query.ended_ns - std::uint64_t{question.latency_us} * 1000;
    query.view = "_default";
    query.recursed = question.recursed;
    query.cached = !question.recursed;
    query.edns_version = static_cast<std::int16_t>(question.edns ? 0 : -1);
    query.edns_udp_size = 1232;
    query.edns_do = question.edns_do;
    return bindcast_query_done(producer_, &query);
  }

  std::string run_queries(std::uint64_t per_second, double seconds) {
    const auto count = static_cast<std::uint64_t>(static_cast<double>(per_second) * seconds);
    const std::uint64_t began = now_ns();
    std::uint64_t done = 0, refused = 0;
    while (done < count && !stopping_) {
      const std::uint64_t due = std::min(count, (now_ns() - began) * per_second / kNsPerSecond + 1);
      for (; done < due; ++done) refused += offer(traffic_.next()) ? 0U : 1U;
      if (done < count) sleep_until(std::max(now_ns() + kShortestSleepNs, began + done * kNsPerSecond / per_second));
    }
    return queries_done("queries", began, done - refused, refused);
  }

  std::string run_burst(std::uint64_t count) {
    const std::uint64_t began = now_ns();
    std::uint64_t done = 0, refused = 0;
    while (done < count && !stopping_) {
      const bench::Question& question = traffic_.next();
      while (!offer(question) && !stopping_) {
        ++refused;
        std::this_thread::sleep_for(kWaitForRoom);
      }
      ++done;
    }
    return queries_done("burst", began, done, refused);
  }

  // Each refusal is a loss to the runtime, which tells it: also one that is offered again.
  static std::string queries_done(std::string_view name, std::uint64_t began, std::uint64_t accepted,
                                  std::uint64_t refused) {
    return command(name) + field("accepted", accepted) + field("refused", refused) + field("began_ns", began) +
           field("ended_ns", now_ns()) + "}";
  }

  std::string run_alerts(std::uint64_t count, double per_second) {
    const std::uint64_t began = now_ns();
    std::uint64_t done = 0;
    for (; done < count && !stopping_; ++done) {
      sleep_until(began + static_cast<std::uint64_t>(static_cast<double>(done) * kNsPerSecond / per_second));
      bindcast_field fields[2]{};
      fields[0].name = "sent_ns";
      fields[0].kind = BINDCAST_INTEGER;
      fields[0].integer = static_cast<std::int64_t>(now_ns());
      fields[1].name = "reason";
      fields[1].kind = BINDCAST_TEXT;
      fields[1].text = "a benchmark's alert";
      char error[128] = "";
      if (!bindcast_emit_fields(runtime_, "security_alert", fields, 2, error, sizeof error))
        return command("urgent") + ",\"error\":\"" + error + "\"}";
    }
    return command("urgent") + field("emitted", done) + field("began_ns", began) + field("ended_ns", now_ns()) + "}";
  }

  std::string folder_;
  std::mutex mutex_;
  std::condition_variable listening_;
  int port_ = 0;
  clockid_t loop_clock_ = CLOCK_PROCESS_CPUTIME_ID;
  bindcast_runtime* runtime_ = nullptr;
  bindcast_producer* producer_ = nullptr;
  bench::Traffic traffic_;
  std::atomic<bool> stopping_{false};
  std::unique_ptr<Lane> queries_ = std::make_unique<Lane>(), alerts_ = std::make_unique<Lane>();
};

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
    std::fprintf(stderr, "Usage: bench_host [CONFIGURATION]\n");
    return 2;
  }
  char folder[] = "/tmp/bindcast-bench-XXXXXX";
  if (mkdtemp(folder) == nullptr) {
    std::perror("bench_host: mkdtemp");
    return 1;
  }
  bool announced = false;
  {
    Host host(argc == 2 ? argv[1] : nullptr, folder);
    announced = host.announce();
    std::string line;
    while (announced && std::getline(std::cin, line) && host.obey(line)) continue;
  }
  std::filesystem::remove_all(folder);
  if (!announced) std::fprintf(stderr, "bench_host: the runtime does not listen\n");
  return announced ? 0 : 1;
}
