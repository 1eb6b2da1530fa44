// Finds the addresses of a host name without holding the loop up, one name at a time. Loop thread only. A resolver that
// does not answer keeps its thread (plugin/blocking_work.hpp), and its answer is dropped when this object is gone.
#pragma once

#include <uv.h>

#include <functional>
#include <string>
#include <vector>

#include "plugin/blocking_work.hpp"

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

  // After its end nothing is found; the loop must turn once more to free the handle.
  NameLookup(uv_loop_t* loop, Found found, Resolve resolve = resolve_by_system);
  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;

  [[nodiscard]] bool busy() const noexcept { return work_.busy(); }
  // Not while busy. False when no thread can be had.
  [[nodiscard]] bool start(const std::string& name);

 private:
  void tell(const NameAnswer& answer);

  Found found_;
  Resolve resolve_;
  std::string name_;  // that is looked up
  BlockingWork work_;
};

}  // namespace bindcast
