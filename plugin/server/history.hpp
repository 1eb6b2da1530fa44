// GET /api/v1/events: pages of stored events, as far as the one who asks may see them. The work for a page is bounded,
// so it may come back short; its cursor says where to go on, and stays good whatever is stored or removed meanwhile.
//
// Loop thread only.
#pragma once

#include <memory>

#include "plugin/hub/hub.hpp"
#include "plugin/journal/past.hpp"
#include "plugin/server/http_exchange.hpp"
#include "plugin/server/past_view.hpp"

namespace bindcast {

class History {
 public:
  static constexpr std::size_t kMostUnderWay = 64;  // pages being read; then 503
  static constexpr std::size_t kMostPerPage = 1000, kPerPage = 100;

  History(Hub& hub, Past& past) : hub_(hub), past_(past), view_(hub) {}
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  void take(const PastViewer& viewer, const HttpRequest& request, const Reply& reply, Now now);

 private:
  Hub& hub_;
  Past& past_;
  PastView view_;
  std::size_t under_way_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace bindcast
