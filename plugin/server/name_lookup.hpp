// Finds the addresses of a host name without holding the loop up: a thread of our own per lookup, one at a time.
// libuv's thread pool is no place for it: named uses the same one, and a resolver that does not answer would fill it.
//
// Loop thread only. The thread is detached, because nothing can interrupt getaddrinfo: it may outlive this object, and
// then its answer is dropped.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace bindcast {

struct NameAnswer {
  std::vector<std::string> addresses;  // literals, in the resolver's order
  std::string fault;                   // when there is none
};

// The system's resolver; blocks.
[[nodiscard]] NameAnswer resolve_by_system(const std::string& name);

class NameLookup {
 public:
  static constexpr std::size_t kMaxAddresses = 8;
  using Resolve = std::function<NameAnswer(const std::string& name)>;  // on the thread
  using Found = std::function<void(const std::string& name, const NameAnswer& answer)>;

  NameLookup(uv_loop_t* loop, Found found, Resolve resolve = resolve_by_system);
  ~NameLookup();  // the loop must turn once more to free the handle; nothing is found from now on
  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;

  [[nodiscard]] bool busy() const noexcept { return busy_; }
  // Not while busy. False when no thread can be had.
  [[nodiscard]] bool start(const std::string& name);

 private:
  struct Shared;
  void take_answer();

  Found found_;
  Resolve resolve_;
  std::shared_ptr<Shared> shared_;  // with the thread
  bool busy_ = false;
  std::string name_;  // that is looked up
};

}  // namespace bindcast
