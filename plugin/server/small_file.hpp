// Small files that an admin puts there: keys, certificates, secrets. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace bindcast {

// All of a regular file of at most `most` bytes. Returns what is wrong ("cannot be opened: …"), or nothing.
[[nodiscard]] std::string read_small_file(const std::string& path, std::size_t most, std::string& out);

// Tells whether a file was changed or replaced since.
struct FileStamp {
  std::int64_t modified_ns = -1;  // -1: there is none
  std::int64_t size = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
[[nodiscard]] FileStamp stamp_of(const std::string& path) noexcept;

}  // namespace bindcast
