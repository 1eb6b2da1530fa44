// What was delivered, and how: the same counters for one client, for a channel and for the whole server. Loop thread
// only.
#pragma once

#include <cstdint>
#include <memory>

#include "plugin/delivery/frame.hpp"
#include "plugin/histogram.hpp"

namespace bindcast {

struct DeliveryStatistics {
  std::uint64_t frames = 0;                                             // all messages with events, and gaps
  std::uint64_t batches = 0;                                            // of these: batches
  std::uint64_t batched_events = 0;                                     // in them
  std::uint64_t single_events = 0;                                      // sent by themselves
  std::uint64_t bypassed = 0;                                           // of these: ahead of what waited
  std::uint64_t plain_bytes = 0;                                        // before compression
  std::uint64_t wire_bytes = 0;                                         // as sent, without WebSocket's own headers
  std::uint64_t compressed = 0;                                         // frames that were sent compressed
  std::uint64_t compressed_plain_bytes = 0, compressed_wire_bytes = 0;  // theirs
  std::uint64_t overflows = 0;                                          // times that a client fell behind
  std::uint64_t dropped = 0;                                            // events that found no room (queue_overflow)
  // From an event's coming out of the capture to its being handed to the socket, in microseconds; of a batch, its
  // oldest event's. Made with the first frame.
  std::unique_ptr<Histogram> lag_us;

  // An event that goes out by itself, as it is.
  void count_single(std::size_t bytes, bool urgent) noexcept {
    ++frames;
    ++single_events;
    if (urgent) ++bypassed;
    plain_bytes += bytes;
    wire_bytes += bytes;
  }

  void count(const Frame& frame, bool urgent, Now now) {
    ++frames;
    plain_bytes += frame.plain_size;
    wire_bytes += frame.size;
    if (frame.binary) {
      ++compressed;
      compressed_plain_bytes += frame.plain_size;
      compressed_wire_bytes += frame.size;
    }
    if (frame.events.empty()) return;
    if (frame.batch) {
      ++batches;
      batched_events += frame.events.size();
    } else {
      ++single_events;
      if (urgent) ++bypassed;
    }
    if (!lag_us) lag_us = std::make_unique<Histogram>();
    lag_us->record(now.mono_us - frame.created_us);
  }
};

}  // namespace bindcast
