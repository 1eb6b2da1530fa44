// Remembers each policy zone's serial as its own events tell it, and adds it to policy hits whose host did not know it:
// named has let go of the policy zone's version by the time a request ends.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "plugin/hub/hub.hpp"

namespace bindcast {

class PolicySerials : public Processor {
 public:
  bool process(Event& event) override;
  [[nodiscard]] bool concerns(EventType type) const noexcept override;

 private:
  void learn(const Event& event, std::string_view zone, Fields::Value serial);
  std::map<std::string, std::uint32_t, std::less<>> serials_;  // by view and zone; as many as there are policy zones
};

}  // namespace bindcast
