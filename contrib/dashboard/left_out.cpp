// Stands for what embed.mjs makes, where the dashboard is not built.
#include "plugin/server/dashboard.hpp"

namespace bindcast {

std::span<const DashboardFile> dashboard_files() noexcept {
  return {};
}

}  // namespace bindcast
