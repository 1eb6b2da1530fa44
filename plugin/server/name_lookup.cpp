#include "plugin/server/name_lookup.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <utility>

namespace bindcast {

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
    : found_(std::move(found)),
      resolve_(std::move(resolve)),
      work_(loop, [this] { tell({.addresses = {}, .fault = "no memory"}); }) {}

bool NameLookup::start(const std::string& name) {
  name_ = name;
  return work_.start([this, resolve = resolve_, name]() -> BlockingWork::Done {
    return [this, answer = resolve(name)] { tell(answer); };
  });
}

void NameLookup::tell(const NameAnswer& answer) {
  const std::string name = std::move(name_);  // found_ may start the next one
  found_(name, answer);
}

}  // namespace bindcast
