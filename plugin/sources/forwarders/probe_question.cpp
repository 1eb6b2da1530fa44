#include "plugin/sources/forwarders/probe_question.hpp"

#include <algorithm>
#include <array>

#include "events/dns_text.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kHeaderBytes = 12, kTypeAndClassBytes = 4;
constexpr std::uint8_t kQr = 0x80, kOpcode = 0x78, kTc = 0x02, kRd = 0x01;  // of the header's third byte
constexpr std::uint8_t kRcode = 0x0f;                                       // of its fourth
constexpr std::uint8_t kClassIn = 1;
static_assert(kHeaderBytes + kMaxNameBytes + kTypeAndClassBytes <= ProbeQuestion::kMostLookedAt);

std::uint16_t number_at(std::span<const std::uint8_t> bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void put_number(std::vector<std::uint8_t>& bytes, std::uint16_t number) {
  bytes.push_back(static_cast<std::uint8_t>(number >> 8));
  bytes.push_back(static_cast<std::uint8_t>(number & 0xff));
}

std::uint8_t lower(std::uint8_t c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + ('a' - 'A')) : c;
}

}  // namespace

ProbeQuestion::ProbeQuestion(std::string_view text) {
  const std::size_t space = text.find(' ');
  std::array<std::uint8_t, kMaxNameBytes> name{};
  const std::size_t size = read_name(name, text.substr(0, space));
  question_.assign(name.begin(), name.begin() + size);
  put_number(question_, read_rrtype(text.substr(space + 1)).value_or(0));
  put_number(question_, kClassIn);
}

std::vector<std::uint8_t> ProbeQuestion::message(std::uint16_t id) const {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(kHeaderBytes + question_.size());
  put_number(bytes, id);
  put_number(bytes, kRd << 8);
  for (const std::uint16_t count : {1, 0, 0, 0}) put_number(bytes, count);
  bytes.insert(bytes.end(), question_.begin(), question_.end());
  return bytes;
}

std::optional<ProbeQuestion::Answer> ProbeQuestion::check(std::span<const std::uint8_t> bytes,
                                                          std::uint16_t id) const noexcept {
  if (bytes.size() < kHeaderBytes || number_at(bytes, 0) != id) return std::nullopt;
  if ((bytes[2] & (kQr | kOpcode)) != kQr) return std::nullopt;
  const Answer answer{.rcode = static_cast<std::uint8_t>(bytes[3] & kRcode), .truncated = (bytes[2] & kTc) != 0};

  const std::span<const std::uint8_t> rest = bytes.subspan(kHeaderBytes);
  const std::uint16_t questions = number_at(bytes, 4);
  if (questions == 0) {
    const bool bare_error = rest.empty() && answer.rcode != 0 && number_at(bytes, 6) == 0;
    return bare_error ? std::optional(answer) : std::nullopt;
  }
  if (questions != 1 || rest.size() < question_.size()) return std::nullopt;
  const std::size_t name = question_.size() - kTypeAndClassBytes;
  for (std::size_t i = 0; i < question_.size(); ++i) {
    const std::uint8_t byte = i < name ? lower(rest[i]) : rest[i];
    if (byte != question_[i]) return std::nullopt;
  }
  return answer;
}

}  // namespace bindcast
