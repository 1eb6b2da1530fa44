// Queries as a resolver of a few networks sees them, the same in every run: some thousands of names, half of the
// queries for a name out of the few that everybody asks for, addresses of both families.
//
// Made whole at the start, about 2 MB, so that handing a query out costs a benchmark next to nothing. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

struct Question {
  std::array<std::uint8_t, 96> qname;  // wire form
  std::uint8_t qname_size;
  std::uint8_t family;  // 4 or 6
  std::array<std::uint8_t, 16> client;
  std::uint16_t port;  // never below 1024: a filter can say so and match every query
  std::uint16_t qtype, rcode, flags, answers, authority;
  std::uint32_t latency_us;
  bool recursed, edns, edns_do;
};

class Traffic {
 public:
  static constexpr std::size_t kNames = 8192;
  static constexpr std::size_t kPopular = 128;
  static constexpr std::size_t kQuestions = 16384;  // then the same again

  Traffic() {
    std::vector<std::string> names;
    names.reserve(kNames);
    for (std::size_t i = 0; i < kNames; ++i) names.push_back(name(i));
    questions_.reserve(kQuestions);
    for (std::size_t i = 0; i < kQuestions; ++i)
      questions_.push_back(question(names[i % 2 == 0 ? random_() % kPopular : (i / 2) % kNames]));
  }

  const Question& next() noexcept { return questions_[at_++ % kQuestions]; }

 private:
  std::string name(std::size_t number) {
    static constexpr std::string_view kHosts[] = {"www", "api", "cdn", "mail", "static", "img", "login", "edge"};
    static constexpr std::string_view kWords[] = {"cloud",  "shop",   "news", "data",  "play",   "mobile",
                                                  "travel", "media",  "bank", "green", "studio", "auto",
                                                  "daily",  "health", "open", "link"};
    static constexpr std::string_view kEnds[] = {"com", "net", "org", "de", "io", "co.uk", "example.com", "info"};
    std::string text;
    if (random_() % 8 != 0) text += std::string(kHosts[random_() % std::size(kHosts)]) + ".";
    if (random_() % 4 == 0) text += "r" + std::to_string(random_() % 100) + ".";
    text +=
        std::string(kWords[random_() % std::size(kWords)]) + "-" + std::string(kWords[random_() % std::size(kWords)]);
    return text + std::to_string(number) + "." + std::string(kEnds[random_() % std::size(kEnds)]);
  }

  Question question(std::string_view name) {
    Question made{};
    std::size_t label_at = made.qname_size++;
    for (const char c : name) {
      if (c == '.') {
        label_at = made.qname_size++;
      } else {
        made.qname.at(made.qname_size++) = static_cast<std::uint8_t>(c);
        ++made.qname.at(label_at);
      }
    }
    ++made.qname_size;  // the root, a zero

    const std::uint32_t host = static_cast<std::uint32_t>(random_());
    if (random_() % 4 == 0) {
      made.family = 6;
      made.client = {0x20, 0x01, 0x0d, 0xb8, 0, static_cast<std::uint8_t>(host & 3)};
      for (std::size_t i = 8; i < 16; ++i) made.client[i] = static_cast<std::uint8_t>(random_());
    } else {
      made.family = 4;
      made.client = {10, static_cast<std::uint8_t>(host & 3), static_cast<std::uint8_t>(host >> 8),
                     static_cast<std::uint8_t>(host >> 16)};
    }
    made.port = static_cast<std::uint16_t>(1024 + random_() % 64000);

    static constexpr std::uint16_t kTypes[] = {1, 1, 1, 1, 1, 28, 28, 28, 65, 65, 15, 16};  // A, AAAA, HTTPS, MX, TXT
    made.qtype = kTypes[random_() % std::size(kTypes)];
    const auto luck = random_() % 100;
    made.rcode = luck < 12 ? 3 : luck < 14 ? 2 : 0;  // NXDOMAIN, SERVFAIL
    made.flags = 0x8180;                             // QR RD RA
    made.answers = made.rcode == 0 ? static_cast<std::uint16_t>(1 + random_() % 4) : std::uint16_t{0};
    made.authority = made.rcode == 3 ? 1 : 0;
    made.recursed = random_() % 3 == 0;
    made.latency_us = static_cast<std::uint32_t>(made.recursed ? 2'000 + random_() % 60'000 : 20 + random_() % 200);
    made.edns = random_() % 10 != 0;
    made.edns_do = random_() % 5 == 0;
    return made;
  }

  std::mt19937 random_{20261126};  // NOLINT: the same in every run is the point
  std::vector<Question> questions_;
  std::size_t at_ = 0;
};

}  // namespace bench
