#include "plugin/sources/system/disk_reading.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace bindcast {

namespace {

std::string absolute(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), std::free);
  return real ? std::string(real.get()) : path;
}

// The path itself, or the folder that it will be in.
std::string existing(const std::string& path, struct stat& found) {
  if (stat(path.c_str(), &found) == 0 || errno != ENOENT) return path;
  const std::size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  return stat(folder.c_str(), &found) == 0 ? folder : path;
}

}  // namespace

std::vector<FileSystemReading> read_file_systems(const std::vector<DiskPlace>& places) {
  std::vector<FileSystemReading> all;
  for (const DiskPlace& place : places) {
    struct stat found {};
    const std::string path = existing(place.path, found);
    FileSystemReading reading;
    reading.device = found.st_dev;
    const auto known = std::ranges::find_if(
        all, [&](const FileSystemReading& other) { return other.fault.empty() && other.device == reading.device; });
    if (found.st_dev != 0 && known != all.end()) {
      known->holds.push_back(place.holds);
      continue;
    }
    reading.path = absolute(path);
    reading.holds.push_back(place.holds);
    struct statvfs space {};
    if (found.st_nlink == 0 || statvfs(path.c_str(), &space) != 0) {
      reading.fault = std::strerror(errno);
    } else {
      reading.bytes = std::uint64_t{space.f_blocks} * space.f_frsize;
      reading.free_bytes = std::uint64_t{space.f_bfree} * space.f_frsize;
      reading.available_bytes = std::uint64_t{space.f_bavail} * space.f_frsize;
      reading.files = space.f_files;
      reading.files_free = space.f_ffree;
      reading.read_only = (space.f_flag & ST_RDONLY) != 0;
    }
    all.push_back(std::move(reading));
  }
  return all;
}

}  // namespace bindcast
