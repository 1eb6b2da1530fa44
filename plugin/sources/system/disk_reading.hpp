// The file systems that named and Bindcast write to. Blocks for as long as a file system does not answer, which a
// network's may do for ever; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bindcast {

// A place that matters, and what for.
struct DiskPlace {
  std::string path;  // of a folder, or of a file in it that need not exist
  std::string holds;
};

struct FileSystemReading {
  std::string path;                // of the first place that is on it
  std::vector<std::string> holds;  // in the order of the places
  std::uint64_t device = 0;
  std::uint64_t bytes = 0, free_bytes = 0, available_bytes = 0;  // available: to others than root
  std::uint64_t files = 0, files_free = 0;                       // 0: it does not count them
  bool read_only = false;
  std::string fault;  // why nothing is known of it

  // Of what others than root can have, as df says it.
  [[nodiscard]] double used_percent() const noexcept {
    const double used = static_cast<double>(bytes - free_bytes), can = used + static_cast<double>(available_bytes);
    return can > 0 ? used * 100 / can : 0;
  }
};

// Each once, however many places are on it.
[[nodiscard]] std::vector<FileSystemReading> read_file_systems(const std::vector<DiskPlace>& places);

}  // namespace bindcast
