// The question of a probe, and whether a message is an answer to it (RFC 1035, section 4.1). Pure; any thread.
//
// Only this: of a question without options, an answer's header and its copy of the question, compared byte by byte. No
// name of an answer is ever taken apart, so nothing that stands in one can mislead us. That is why no DNS library is
// used: ldns would parse what nobody reads, and c-ares is a resolver, which chooses servers, tries again and keeps
// times by itself, where one try at one server is to be measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace bindcast {

class ProbeQuestion {
 public:
  // As the configuration has it: an owner name and a type, ". NS".
  explicit ProbeQuestion(std::string_view text);

  [[nodiscard]] std::vector<std::uint8_t> message(std::uint16_t id) const;

  struct Answer {
    std::uint8_t rcode = 0;
    bool truncated = false;  // TC: to be asked for by TCP
  };
  // Empty: it is no answer to message(id). A first part of kMostLookedAt bytes tells as much as the whole. Some servers
  // leave the question out of an answer that says nothing but an error.
  [[nodiscard]] std::optional<Answer> check(std::span<const std::uint8_t> bytes, std::uint16_t id) const noexcept;
  static constexpr std::size_t kMostLookedAt = 512;

 private:
  std::vector<std::uint8_t> question_;  // in wire form: name, type, class
};

}  // namespace bindcast
