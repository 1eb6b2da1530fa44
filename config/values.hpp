// Single values: read from a YAML node with a fault that says what is allowed, and written back as YAML text.
//
// Every read function reports at most one fault, under `key`, and then returns nothing. Pure but for the Reader.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/options.hpp"
#include "config/reader.hpp"
#include "config/yaml.hpp"

namespace bindcast {

// What a number may be. `unit` is what it counts, for people: "connections".
struct IntegerRange {
  std::int64_t min = 0, max = 0;
  std::string_view unit{};
  [[nodiscard]] std::string text() const;  // "1 to 10000 connections"
};
struct RealRange {
  double min = 0, max = 0;
  [[nodiscard]] std::string text() const;
};
struct SizeRange {
  std::size_t min = 0, max = 0;
  [[nodiscard]] std::string text() const;
};
struct DurationRange {
  Microseconds min{0}, max{0};
  [[nodiscard]] std::string text() const;
};

inline constexpr std::size_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;
inline constexpr std::size_t kMaxTextBytes = 4096;
inline constexpr std::size_t kMaxEntries = 1000;  // of any list or mapping of the admin's own

// The text of a single value; a fault ("must be `what`, not a list") for anything else.
[[nodiscard]] std::optional<std::string_view> read_scalar(const YamlNode& node, Reader& reader, const std::string& key,
                                                          std::string_view what);
// True for a sequence (a mapping) of at most kMaxEntries; otherwise a fault.
[[nodiscard]] bool check_sequence(const YamlNode& node, Reader& reader, const std::string& key);
[[nodiscard]] bool check_mapping(const YamlNode& node, Reader& reader, const std::string& key);

[[nodiscard]] std::optional<bool> read_boolean(const YamlNode& node, Reader& reader, const std::string& key);
[[nodiscard]] std::optional<std::int64_t> read_integer(const YamlNode& node, Reader& reader, const std::string& key,
                                                       const IntegerRange& range);
[[nodiscard]] std::optional<double> read_real(const YamlNode& node, Reader& reader, const std::string& key,
                                              const RealRange& range);
[[nodiscard]] std::optional<std::size_t> read_size(const YamlNode& node, Reader& reader, const std::string& key,
                                                   const SizeRange& range);
[[nodiscard]] std::optional<Microseconds> read_duration(const YamlNode& node, Reader& reader, const std::string& key,
                                                        const DurationRange& range);
// The index into `names`.
[[nodiscard]] std::optional<std::size_t> read_enumeration(const YamlNode& node, Reader& reader, const std::string& key,
                                                          const std::vector<std::string_view>& names);
[[nodiscard]] std::optional<ListenAddress> read_listen_address(const YamlNode& node, Reader& reader,
                                                               const std::string& key);
// A filter expression; compiled only to see whether it does. Line breaks become spaces.
[[nodiscard]] std::optional<std::string> read_expression(const YamlNode& node, Reader& reader, const std::string& key);

// Texts differ by what they may hold. A rule returns what is wrong and allowed, or an empty text.
using TextRule = std::string (*)(std::string_view text);
[[nodiscard]] std::optional<std::string> read_text(const YamlNode& node, Reader& reader, const std::string& key,
                                                   TextRule rule);

[[nodiscard]] std::string any_text(std::string_view text);
[[nodiscard]] std::string filled_text(std::string_view text);    // not empty
[[nodiscard]] std::string socket_path(std::string_view text);    // of a unix socket, or empty
[[nodiscard]] std::string name_text(std::string_view text);      // of a user, token or role
[[nodiscard]] std::string password_hash(std::string_view text);  // crypt(5); never echoed
[[nodiscard]] std::string sha256_hex(std::string_view text);     // never echoed
[[nodiscard]] std::string origin_text(std::string_view text);    // scheme://host[:port]
[[nodiscard]] std::string domain_name(std::string_view text);
[[nodiscard]] std::string zone_pattern(std::string_view text);  // glob on a domain name
[[nodiscard]] std::string feed_category(std::string_view text);
[[nodiscard]] std::string probe_text(std::string_view text);      // owner name and type
[[nodiscard]] std::string server_address(std::string_view text);  // an address, with or without a port
[[nodiscard]] std::string network_text(std::string_view text);    // an address, or a network of them
[[nodiscard]] std::string http_url(std::string_view text);        // never echoed

[[nodiscard]] std::string write_integer(std::uint64_t value);
[[nodiscard]] std::string write_real(double value);
[[nodiscard]] std::string write_size(std::size_t bytes);
[[nodiscard]] std::string write_duration(Microseconds value);
[[nodiscard]] std::string write_text(std::string_view text);  // quoted where YAML needs it
[[nodiscard]] std::string quote_text(std::string_view text);
[[nodiscard]] std::string write_list(const std::vector<std::string>& written);

}  // namespace bindcast
