#include "plugin/blocking_work.hpp"

#include <pthread.h>

#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "plugin/signals_blocked.hpp"

namespace bindcast {

struct BlockingWork::Shared {
  std::mutex mutex;                // guards what follows
  uv_async_t* answered = nullptr;  // none: the owner is gone
  bool ended = false;
  Done done;  // none: the work failed
};

BlockingWork::BlockingWork(uv_loop_t* loop, Done failed)
    : failed_(std::move(failed)), shared_(std::make_shared<Shared>()) {
  auto* answered = new uv_async_t;
  uv_async_init(loop, answered, [](uv_async_t* handle) {
    if (handle->data != nullptr) static_cast<BlockingWork*>(handle->data)->take_answer();
  });
  answered->data = this;
  shared_->answered = answered;
}

BlockingWork::~BlockingWork() {
  uv_async_t* answered = nullptr;
  {
    const std::lock_guard lock(shared_->mutex);
    answered = std::exchange(shared_->answered, nullptr);
  }
  answered->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(answered),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_async_t*>(handle); });
}

bool BlockingWork::start(Work work) {
  const SignalsBlocked blocked;
  bool started = false;
  try {
    std::thread([shared = shared_, work = std::move(work)] {
      pthread_setname_np(pthread_self(), "bindcast-work");
      Done done;
      try {
        done = work();
      } catch (const std::exception&) {  // no memory
      }
      const std::lock_guard lock(shared->mutex);
      shared->done = std::move(done);
      shared->ended = true;
      if (shared->answered != nullptr) uv_async_send(shared->answered);
    }).detach();
    started = true;
  } catch (const std::exception&) {  // no thread, or no memory
  }
  busy_ = started;
  return started;
}

void BlockingWork::take_answer() {
  Done done;
  {
    const std::lock_guard lock(shared_->mutex);
    if (!std::exchange(shared_->ended, false)) return;
    done = std::exchange(shared_->done, nullptr);
  }
  busy_ = false;  // what is called may start the next piece
  done ? done() : failed_();
}

}  // namespace bindcast
