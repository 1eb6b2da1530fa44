// Publishing over HTTP: what the body of POST /api/v1/events may be, and the answers. One event is answered at once; a
// list is worked off in turns, each of its events for itself: one that is refused keeps none of the others back. So a
// list with ids can be sent again as it is, whatever became of it.
//
// Loop thread only. Owned by the server.
#pragma once

#include <memory>
#include <vector>

#include "plugin/publish/publishing.hpp"
#include "plugin/publish/turns.hpp"
#include "plugin/server/http_exchange.hpp"

namespace bindcast {

class PublishRequests {
 public:
  static constexpr std::size_t kMaxBody = 1024 * 1024;
  static constexpr std::size_t kMaxLists = 8;  // under way at the same time; JSON is large in memory

  PublishRequests(Publishing& publishing, Turns& turns, Faults& faults);
  ~PublishRequests();
  PublishRequests(const PublishRequests&) = delete;
  PublishRequests& operator=(const PublishRequests&) = delete;

  void take(const User& user, const HttpRequest& request, const Reply& reply, Now now);

 private:
  class List;

  void ended(List& list) noexcept;

  Publishing& publishing_;
  Turns& turns_;
  Faults& faults_;
  std::vector<std::unique_ptr<List>> lists_;
};

}  // namespace bindcast
