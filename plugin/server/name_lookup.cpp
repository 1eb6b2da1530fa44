#include "plugin/server/name_lookup.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "plugin/signals_blocked.hpp"

namespace bindcast {

struct NameLookup::Shared {
  std::mutex mutex;                // guards the two below
  uv_async_t* answered = nullptr;  // none: the owner is gone
  std::optional<NameAnswer> answer;
};

NameAnswer resolve_by_system(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  NameAnswer answer;
  if (const int fault = getaddrinfo(name.c_str(), nullptr, &hints, &list); fault != 0) {
    answer.fault = gai_strerror(fault);
    return answer;
  }
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST];
    if (answer.addresses.size() < NameLookup::kMaxAddresses &&
        getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      answer.addresses.emplace_back(text);
  }
  freeaddrinfo(list);
  if (answer.addresses.empty()) answer.fault = "the name has no address";
  return answer;
}

NameLookup::NameLookup(uv_loop_t* loop, Found found, Resolve resolve)
    : found_(std::move(found)), resolve_(std::move(resolve)), shared_(std::make_shared<Shared>()) {
  auto* answered = new uv_async_t;
  uv_async_init(loop, answered, [](uv_async_t* handle) {
    if (handle->data != nullptr) static_cast<NameLookup*>(handle->data)->take_answer();
  });
  answered->data = this;
  shared_->answered = answered;
}

NameLookup::~NameLookup() {
  uv_async_t* answered = nullptr;
  {
    const std::lock_guard lock(shared_->mutex);
    answered = std::exchange(shared_->answered, nullptr);
  }
  answered->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(answered),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_async_t*>(handle); });
}

bool NameLookup::start(const std::string& name) {
  const SignalsBlocked blocked;
  bool started = false;
  try {
    std::thread([shared = shared_, resolve = resolve_, name] {
      NameAnswer answer;
      try {
        answer = resolve(name);
      } catch (const std::exception&) {
        answer.fault = "no memory";
      }
      const std::lock_guard lock(shared->mutex);
      shared->answer = std::move(answer);
      if (shared->answered != nullptr) uv_async_send(shared->answered);
    }).detach();
    started = true;
  } catch (const std::exception&) {  // no thread, or no memory
  }
  busy_ = started;
  if (started) name_ = name;
  return started;
}

void NameLookup::take_answer() {
  std::optional<NameAnswer> answer;
  {
    const std::lock_guard lock(shared_->mutex);
    answer = std::exchange(shared_->answer, std::nullopt);
  }
  if (!answer) return;
  busy_ = false;
  const std::string name = std::move(name_);  // found_ may start the next one
  found_(name, *answer);
}

}  // namespace bindcast
