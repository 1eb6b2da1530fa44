#include "plugin/correlation_id.hpp"

#include <sys/random.h>

#include <atomic>
#include <cstdint>

#include "plugin/clock.hpp"

namespace bindcast {

std::string new_correlation_id() {
  constexpr char kAlphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::uint8_t random[16] = {};
  if (getrandom(random, sizeof random, GRND_NONBLOCK) < 0) {
    // Early at boot there may be no entropy; uniqueness within this host is what matters.
    static std::atomic<std::uint64_t> counter{0};
    const std::uint64_t value = counter.fetch_add(1) ^ static_cast<std::uint64_t>(read_clock().mono_us);
    for (std::size_t i = 0; i < 8; ++i) random[i] = static_cast<std::uint8_t>(value >> (8 * i));
  }
  std::string id(26, '0');
  std::uint64_t ms = static_cast<std::uint64_t>(read_clock().wall_us / 1000);
  for (std::size_t i = 10; i-- > 0; ms >>= 5) id[i] = kAlphabet[ms & 31];
  for (std::size_t i = 0; i < 16; ++i) id[10 + i] = kAlphabet[random[i] & 31];
  return id;
}

}  // namespace bindcast
