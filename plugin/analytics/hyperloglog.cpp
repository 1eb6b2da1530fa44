#include "plugin/analytics/hyperloglog.hpp"

#include <cmath>
#include <numbers>

namespace bindcast {

namespace {

// Both are Ertl's, and series that converge to the last bit after a few steps.
double sigma(double x) noexcept {
  if (x == 1) return INFINITY;
  double sum = x, before = -1;
  for (double y = 1; sum != before; y += y) {
    x *= x;
    before = sum;
    sum += x * y;
  }
  return sum;
}

double tau(double x) noexcept {
  if (x == 0 || x == 1) return 0;
  double sum = 1 - x, before = -1;
  for (double y = 0.5; sum != before; y /= 2) {
    x = std::sqrt(x);
    before = sum;
    sum -= (1 - x) * (1 - x) * y;
  }
  return sum / 3;
}

}  // namespace

void HyperLogLog::merge(const HyperLogLog& other) noexcept {
  for (std::size_t i = 0; i < kRegisters; ++i) registers_[i] = std::max(registers_[i], other.registers_[i]);
}

std::uint64_t HyperLogLog::estimate() const noexcept {
  std::array<std::uint32_t, kRest + 2> with{};  // registers by their value
  for (const std::uint8_t value : registers_) ++with[value];
  constexpr double kAll = kRegisters;
  double sum = kAll * tau(1 - with[kRest + 1] / kAll);
  for (std::size_t value = kRest; value >= 1; --value) sum = (sum + with[value]) / 2;
  sum += kAll * sigma(with[0] / kAll);
  return static_cast<std::uint64_t>(std::llround(kAll * kAll / (2 * std::numbers::ln2 * sum)));
}

}  // namespace bindcast
