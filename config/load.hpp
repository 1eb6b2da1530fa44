// Reads an admin's YAML into Options, naming every fault.
//
// Opens nothing but the named file; starts nothing. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/options.hpp"

namespace bindcast {

struct ConfigFault {
  std::string file;
  std::size_t line = 0;  // from 1; 0 when the whole file is meant
  std::string key;       // dotted path, "batching.max_batch_size", "auth.tokens[2].sha256"; empty for syntax
  std::string message;   // what is wrong, and what is allowed
  [[nodiscard]] std::string text() const;  // "file:line: key: message"
};

// Where options were read.
struct ConfigOrigin {
  std::string file;          // its whole path; empty: nowhere, all of them are the defaults
  std::int64_t read_us = 0;  // since 1970
};

struct Configuration {
  Options options;
  ConfigOrigin origin;
};

struct LoadResult : Configuration {  // which is meaningful only without faults
  std::vector<ConfigFault> faults;   // empty: valid
  [[nodiscard]] bool ok() const noexcept { return faults.empty(); }
};

// Files above this size are refused.
inline constexpr std::size_t kMaxConfigBytes = 1024 * 1024;

[[nodiscard]] LoadResult load_options_file(const std::string& path);
// Of a text the origin stays empty.
[[nodiscard]] LoadResult load_options_text(std::string_view yaml, const std::string& file_name);

// One changed option, for config_change events: dotted path, YAML-like text before and after; secrets are shown as
// "(hidden)".
struct OptionChange {
  std::string path, before, after;
};
[[nodiscard]] std::vector<OptionChange> changed_options(const Options& before, const Options& after);

// The whole configuration with every key, its default and its documentation: config/example.yaml.
[[nodiscard]] std::string example_yaml();

}  // namespace bindcast
