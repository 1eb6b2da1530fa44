// Compares passwords with crypt(5) hashes. A hash is made to take long, 10 to 500 ms, so it is done on a thread of our
// own, one after the other; the loop learns the result. The thread lives while there is work: it is detached, because
// nothing can interrupt a hash, and may outlive this object.
//
// Loop thread only.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>

#include "plugin/clock.hpp"
#include "plugin/faults.hpp"

namespace bindcast {

// By libcrypt; in time that does not depend on how much is right. Any thread; blocks.
[[nodiscard]] bool matches_hash(const std::string& hash, const std::string& password);
// What libcrypt says of a hash: empty, or why nobody can ever log in with it.
[[nodiscard]] std::string fault_of_hash(const std::string& hash);

class Passwords {
 public:
  static constexpr std::size_t kMostWaiting = 16;
  static constexpr std::size_t kMostOfOne = 4;  // of the same origin, so that one cannot keep all others waiting
  using Done = std::function<void(bool right, Now now)>;
  using Matches = std::function<bool(const std::string& hash, const std::string& password)>;  // on the thread

  Passwords(uv_loop_t* loop, Faults& faults, Matches matches = matches_hash);
  ~Passwords();  // the loop must turn once more to free the handle; nothing is told from now on
  Passwords(const Passwords&) = delete;
  Passwords& operator=(const Passwords&) = delete;

  // `done` is called later, once. False: too many wait, or there is no thread to be had; then it is never called.
  [[nodiscard]] bool check(std::string hash, std::string password, std::string origin, Done done);

 private:
  struct Shared;
  void take_results();

  Faults& faults_;
  std::shared_ptr<Shared> shared_;  // with the thread
};

}  // namespace bindcast
