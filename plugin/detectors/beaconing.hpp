// One client asks for one name at very regular intervals, as a program does that waits for orders.
//
// So does every program that looks for updates. What tells them apart here is that others ask for the same name: one
// that more than a few clients ask for is a service's. A client that keeps answers asks again when their time is over,
// as others do, and whenever its user wants: that varies more.
//
// Most names come once, or a few times whenever: a name is followed from its second time on, and where there is no
// room, those go first that never were regular, then those that were for the shortest time.
#pragma once

#include <array>

#include "config/options.hpp"
#include "plugin/detectors/bounded_table.hpp"
#include "plugin/detectors/detector.hpp"
#include "plugin/detectors/doorkeeper.hpp"

namespace bindcast {

class Beaconing final : public Detector {
 public:
  explicit Beaconing(const SourcesOptions::Detectors& options);
  [[nodiscard]] std::string_view name() const noexcept override { return "beaconing"; }
  void see(const SeenQuery& query, Now now) override;
  void tick(Now now, std::vector<Finding>& findings) override;
  [[nodiscard]] Held held() const noexcept override;

 private:
  static constexpr std::size_t kMostClients = 4, kMostFound = 256;
  struct Beat {
    std::uint64_t client = 0;  // hash
    std::int64_t first_us = 0, last_us = 0;
    std::uint32_t intervals = 0;
    float mean_us = 0, squares = 0;  // Welford: of the intervals, and of their differences from the mean
  };
  struct Name {
    std::array<Beat, kMostClients> beats;
    std::uint8_t clients = 0;
    bool of_a_service = false;
  };
  [[nodiscard]] Beat* beat_of(Name& name, std::uint64_t client, std::int64_t at_us) const noexcept;
  void take(Beat& beat, const SeenQuery& query, std::int64_t at_us);
  [[nodiscard]] double variation(const Beat& beat) const noexcept;

  SourcesOptions::Detectors::Beaconing rules_;
  Doorkeeper doorkeeper_;
  BoundedTable<Name> names_;
  std::vector<Finding> found_;  // since the last tick
  std::uint64_t not_found_ = 0;
};

}  // namespace bindcast
