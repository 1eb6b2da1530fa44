#include "plugin/server/passwords.hpp"

#include <crypt.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "plugin/server/secret.hpp"

namespace bindcast {

namespace {

struct Check {
  std::string hash, password, origin;
  Passwords::Done done;
  bool right = false;
};

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
}

}  // namespace

struct Passwords::Shared {
  Matches matches;
  std::mutex mutex;                // guards the rest
  uv_async_t* answered = nullptr;  // none: the owner is gone
  std::deque<Check> waiting;       // the first one is under way while there is a thread
  std::vector<Check> answers;
  bool has_thread = false;

  void work();
};

bool matches_hash(const std::string& hash, const std::string& password) {
  const auto data = std::make_unique<crypt_data>();
  // Not crypt_r: AddressSanitizer puts its own in that one's place, which calls nothing where libcrypt came after it.
  const char* made = crypt_rn(password.c_str(), hash.c_str(), data.get(), sizeof *data);
  // On failure it is nothing, or a text that begins with "*", as no hash does.
  const bool right = made != nullptr && made[0] != '*' && equal_in_constant_time(made, hash);
  OPENSSL_cleanse(data.get(), sizeof *data);
  return right;
}

std::string fault_of_hash(const std::string& hash) {
  switch (crypt_checksalt(hash.c_str())) {
    case CRYPT_SALT_INVALID:
      return "is none that this system's libcrypt knows";
    case CRYPT_SALT_METHOD_DISABLED:
      return "is of a method that this system's libcrypt refuses";
    default:
      return {};
  }
}

Passwords::Passwords(uv_loop_t* loop, Faults& faults, Matches matches)
    : faults_(faults), shared_(std::make_shared<Shared>()) {
  shared_->matches = std::move(matches);
  auto* answered = new uv_async_t;
  uv_async_init(loop, answered, [](uv_async_t* handle) {
    if (handle->data != nullptr) static_cast<Passwords*>(handle->data)->take_results();
  });
  answered->data = this;
  shared_->answered = answered;
}

Passwords::~Passwords() {
  uv_async_t* answered = nullptr;
  {
    const std::lock_guard lock(shared_->mutex);
    answered = std::exchange(shared_->answered, nullptr);
    for (Check& check : shared_->waiting) wipe(check.password);
    shared_->waiting.clear();
    shared_->answers.clear();
  }
  answered->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(answered),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_async_t*>(handle); });
}

void Passwords::Shared::work() {
  for (;;) {
    std::string hash, password;
    {
      const std::lock_guard lock(mutex);
      has_thread = !waiting.empty();
      if (!has_thread) return;
      hash = waiting.front().hash;
      password = waiting.front().password;
    }
    bool right = false;
    try {
      right = matches(hash, password);
    } catch (const std::exception&) {  // no memory: not right, and may be tried again
    }
    wipe(password);
    const std::lock_guard lock(mutex);
    if (answered == nullptr) continue;  // what waited is gone
    Check& check = waiting.front();
    wipe(check.password);
    check.right = right;
    answers.push_back(std::move(check));
    waiting.pop_front();
    uv_async_send(answered);
  }
}

bool Passwords::check(std::string hash, std::string password, std::string origin, Done done) {
  const std::lock_guard lock(shared_->mutex);
  const auto same = std::ranges::count(shared_->waiting, origin, &Check::origin);
  if (shared_->waiting.size() >= kMostWaiting || static_cast<std::size_t>(same) >= kMostOfOne) {
    wipe(password);
    return false;
  }
  shared_->answers.reserve(shared_->answers.size() + shared_->waiting.size() + 1);
  shared_->waiting.push_back(
      {.hash = std::move(hash), .password = std::move(password), .origin = std::move(origin), .done = std::move(done)});
  if (shared_->has_thread) return true;
  // The host's signals are not for this thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread([shared = shared_] {
      pthread_setname_np(pthread_self(), "bindcast-crypt");
      try {
        shared->work();
      } catch (const std::exception&) {
        const std::lock_guard again(shared->mutex);
        shared->has_thread = false;
      }
    }).detach();
    shared_->has_thread = true;
  } catch (const std::exception&) {  // no thread, or no memory
    wipe(shared_->waiting.back().password);
    shared_->waiting.pop_back();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return shared_->has_thread;
}

void Passwords::take_results() {
  std::vector<Check> answers;
  {
    const std::lock_guard lock(shared_->mutex);
    answers.swap(shared_->answers);
  }
  for (const Check& check : answers) faults_.contain([&] { check.done(check.right, read_clock()); });
}

}  // namespace bindcast
