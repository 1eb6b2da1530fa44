// Work that may block, for ever even, and that must hold neither the loop up nor libuv's thread pool, which is the
// host's too: a thread of our own for each piece, one piece at a time.
//
// Loop thread only. The thread is detached, because nothing can interrupt it: it may outlive this object, and then what
// it brings is dropped.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>

namespace bindcast {

class BlockingWork {
 public:
  using Done = std::function<void()>;  // called on the loop, from libuv: it contains its own faults
  using Work = std::function<Done()>;  // on the thread; one that throws has brought nothing, and that is told too

  // `failed` is called on the loop instead of a Done where the work ended by an exception.
  BlockingWork(uv_loop_t* loop, Done failed);
  ~BlockingWork();  // the loop must turn once more to free the handle; nothing is done from now on
  BlockingWork(const BlockingWork&) = delete;
  BlockingWork& operator=(const BlockingWork&) = delete;

  [[nodiscard]] bool busy() const noexcept { return busy_; }
  // Not while busy. False when no thread can be had.
  [[nodiscard]] bool start(Work work);

 private:
  struct Shared;
  void take_answer();

  Done failed_;
  std::shared_ptr<Shared> shared_;  // with the thread
  bool busy_ = false;
};

}  // namespace bindcast
