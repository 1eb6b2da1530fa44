// The dashboard: a page made from contrib/dashboard when Bindcast is built, served from memory. Loop thread only.
#pragma once

#include <span>
#include <string_view>

#include "config/options.hpp"
#include "plugin/server/exchanges.hpp"

namespace bindcast {

struct DashboardFile {
  std::string_view path;  // "/" is the page itself
  std::string_view content_type;
  std::string_view etag;  // as its header has it: weak, since it is the same compressed or not
  std::string_view gzip;  // the content, compressed
  bool immutable;         // the path has a hash of the content in it
};

// Made by contrib/dashboard/embed.mjs; empty when Bindcast was built without it.
[[nodiscard]] std::span<const DashboardFile> dashboard_files() noexcept;

// All of its files, while server.dashboard is on; `options` outlives `exchanges`.
void serve_dashboard(Exchanges& exchanges, const ServerOptions& options);

}  // namespace bindcast
