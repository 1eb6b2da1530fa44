// In which form a client gets its events.
#pragma once

#include "config/options.hpp"
#include "plugin/delivery/format.hpp"

namespace bindcast {

struct Packing {
  Format format = Format::plain;
  bool batches = false;
  BatchingOptions batching;  // compression too
  friend bool operator==(const Packing&, const Packing&) = default;
};

}  // namespace bindcast
