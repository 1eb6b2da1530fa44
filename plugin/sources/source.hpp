// Something that makes events by itself: it measures, probes, follows or counts. Loop thread only.
#pragma once

#include "config/options.hpp"
#include "plugin/changes/configuration_diff.hpp"
#include "plugin/clock.hpp"

namespace bindcast {

class Source {
 public:
  virtual ~Source() = default;  // after the loop has run to its end, so that its handles are closed
  // At start, and on each change of the options. One that is switched off holds nothing and does nothing.
  virtual void configure(const Options& options, Now now) = 0;
  // The host's own configuration, as it is in force: when it becomes known, and on each change.
  virtual void host_configuration(const Statements& /*statements*/, Now /*now*/) {}
  // Once a second.
  virtual void tick(Now now) = 0;
  // The last call: closes its handles.
  virtual void end() = 0;
};

}  // namespace bindcast
