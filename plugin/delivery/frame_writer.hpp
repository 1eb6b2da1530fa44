// Turns events, batches and gaps into frames of a format: the only place that knows what a message with events looks
// like on the wire, and the only one that compresses.
//
// Compressed batches are kept for a while (FrameCache), because several channels, and clients that come back after a
// break and ask for the same history, want the same ones. Loop thread only.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "events/event.hpp"
#include "plugin/clock.hpp"
#include "plugin/delivery/format.hpp"
#include "plugin/delivery/frame.hpp"
#include "plugin/delivery/frame_cache.hpp"

namespace bindcast {

// Whether compressing has been worth its while lately, for one stream of messages: when several in a row did not get
// smaller by a tenth, the next ones are not tried.
class CompressionTrial {
 public:
  [[nodiscard]] bool try_it() noexcept;
  void result(std::size_t plain, std::size_t compressed) noexcept;

 private:
  static constexpr unsigned kFailures = 4, kSkipped = 64;
  unsigned failures_ = 0, skip_ = 0;
};

class FrameWriter {
 public:
  // `held` counts what the frames hold besides their events.
  FrameWriter(const StreamIdentity& stream, std::size_t& held) : stream_(stream), held_(held) {}
  ~FrameWriter();
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;

  void set_cache_bound(std::size_t bytes) { cache_.set_bound(bytes); }
  [[nodiscard]] const FrameCache& cache() const noexcept { return cache_; }

  // `queued_us`: when it came, monotonic.
  [[nodiscard]] FrameRef single(const EncodedRef& event, std::int64_t queued_us, Format format,
                                const CompressionOptions& compression);
  // At least one event. `queued_us`: when the first of them came. `repeats`: others may want the same batch, so it is
  // looked for and kept.
  [[nodiscard]] FrameRef batch(std::vector<EncodedRef> events, std::int64_t queued_us, Now now, Format format,
                               const CompressionOptions& compression, CompressionTrial& trial, bool repeats);
  [[nodiscard]] FrameRef gap(const Gap& gap, Now now, Format format, const CompressionOptions& compression);
  // An answer, or any other message that is text already.
  [[nodiscard]] FrameRef message(std::string_view text, Format format, const CompressionOptions& compression);

 private:
  [[nodiscard]] std::shared_ptr<Frame> packed(std::string_view text, Format format,
                                              const CompressionOptions& compression, CompressionTrial* trial);
  [[nodiscard]] std::shared_ptr<Frame> owning(std::string_view payload);
  [[nodiscard]] std::shared_ptr<Frame> deflated(std::string_view text, int level);
  void write_batch(const std::vector<EncodedRef>& events, std::int64_t created_us, Now now);

  const StreamIdentity& stream_;
  std::size_t& held_;
  FrameCache cache_;
  std::string text_;  // of the message being made; kept for its capacity
  std::vector<unsigned char> packed_;
  z_stream zlib_{};
  int zlib_level_ = 0;  // 0: zlib_ is not initialised
};

}  // namespace bindcast
