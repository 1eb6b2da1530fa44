#include "plugin/delivery/frame_writer.hpp"

#include <algorithm>
#include <string_view>

#include "events/json.hpp"

namespace bindcast {

namespace {

void append_cloud_event(std::string& text, const Event& event, std::string_view id, const StreamIdentity& stream) {
  text += "{\"specversion\":\"1.0\",\"id\":";
  append_json_string(text, id);
  text += ",\"source\":";
  append_json_string(text, "/" + stream.service + "/" + stream.host);
  text += ",\"type\":";
  append_json_string(
      text, "bindcast." + std::string(event.custom_name.empty() ? to_text(event.type) : "custom." + event.custom_name));
  text += ",\"time\":\"";
  append_timestamp(text, event.timestamp_us);
  text += "\",\"datacontenttype\":\"application/json\"";
  if (!event.view.empty()) {
    text += ",\"subject\":";
    append_json_string(text, event.view);
  }
  text += ",\"data\":";
  append_json_value(text, event.data.root());
  text += '}';
}

}  // namespace

bool CompressionTrial::try_it() noexcept {
  if (skip_ == 0) return true;
  --skip_;
  return false;
}

void CompressionTrial::result(std::size_t plain, std::size_t compressed) noexcept {
  failures_ = compressed * 10 > plain * 9 ? failures_ + 1 : 0;
  if (failures_ < kFailures) return;
  failures_ = kFailures - 1;  // one more failure after the pause starts the next one
  skip_ = kSkipped;
}

FrameWriter::~FrameWriter() {
  if (zlib_level_ != 0) deflateEnd(&zlib_);
}

std::shared_ptr<Frame> FrameWriter::owning(std::string_view payload) {
  auto frame = frame_of(payload);
  frame->held = HeldBytes(held_, sizeof(Frame) + payload.size());
  return frame;
}

// One zlib stream (RFC 1950); empty when zlib fails or the result is no smaller. The state is kept between messages,
// because making it costs more than compressing a small one.
std::shared_ptr<Frame> FrameWriter::deflated(std::string_view text, int level) {
  if (zlib_level_ != level) {
    if (zlib_level_ != 0) deflateEnd(&zlib_);
    zlib_ = {};
    zlib_level_ = deflateInit(&zlib_, level) == Z_OK ? level : 0;
  } else {
    deflateReset(&zlib_);
  }
  if (zlib_level_ == 0 || text.size() > 0x7fffffff) return nullptr;
  if (packed_.size() < text.size()) packed_.resize(text.size());
  zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  zlib_.avail_in = static_cast<uInt>(text.size());
  zlib_.next_out = packed_.data();
  zlib_.avail_out = static_cast<uInt>(text.size());
  if (deflate(&zlib_, Z_FINISH) != Z_STREAM_END) return nullptr;
  auto frame = owning({reinterpret_cast<const char*>(packed_.data()), text.size() - zlib_.avail_out});
  frame->plain_size = text.size();
  frame->binary = true;
  return frame;
}

std::shared_ptr<Frame> FrameWriter::packed(std::string_view text, Format format, const CompressionOptions& compression,
                                           CompressionTrial* trial) {
  if (format == Format::deflate && compression.enabled && text.size() > compression.threshold &&
      (trial == nullptr || trial->try_it())) {
    auto frame = deflated(text, compression.level);
    if (trial != nullptr) trial->result(text.size(), frame ? frame->size : text.size());
    if (frame) return frame;
  }
  return owning(text);
}

FrameRef FrameWriter::message(std::string_view text, Format format, const CompressionOptions& compression) {
  return packed(text, format, compression, nullptr);
}

FrameRef FrameWriter::single(const EncodedRef& event, std::int64_t queued_us, Format format,
                             const CompressionOptions& compression) {
  std::shared_ptr<Frame> frame;
  if (format == Format::cloudevents) {
    text_.clear();
    append_cloud_event(text_, *event->event, event->id(), stream_);
    frame = owning(text_);
  } else if (format == Format::deflate) {
    frame = packed(event->json(), format, compression, nullptr);
  } else {
    frame = std::make_shared<Frame>();
    frame->payload = event->payload();
    frame->size = frame->plain_size = event->json_bytes;
  }
  frame->events.push_back(event);
  frame->json_bytes = event->json_bytes;
  frame->created_us = queued_us;
  return frame;
}

void FrameWriter::write_batch(const std::vector<EncodedRef>& events, std::int64_t created_us, Now now) {
  Priority highest = Priority::low;
  for (const EncodedRef& event : events) highest = std::max(highest, event->priority);
  text_.clear();
  text_ += "{\"type\":\"batched_events\",\"id\":\"b-";
  text_ += events.front()->id();
  text_ += "\",\"batch_size\":";
  text_ += std::to_string(events.size());
  text_ += ",\"priority\":\"";
  text_ += to_text(highest);
  text_ += "\",\"created_at\":\"";
  append_timestamp(text_, created_us);
  text_ += "\",\"timestamp\":\"";
  append_timestamp(text_, now.wall_us);
  text_ += "\",\"events\":[";
  for (const EncodedRef& event : events) {
    text_ += event->json();
    text_ += ',';
  }
  text_.back() = ']';
  text_ += '}';
}

FrameRef FrameWriter::batch(std::vector<EncodedRef> events, std::int64_t queued_us, Now now, Format format,
                            const CompressionOptions& compression, CompressionTrial& trial, bool repeats) {
  const bool cached = repeats && format == Format::deflate && compression.enabled && compression.cache > 0;
  FrameCache::Key key;
  if (cached) {
    key.level = compression.level;
    key.events.reserve(events.size());
    for (const EncodedRef& event : events) key.events.push_back(event.get());
    if (FrameRef known = cache_.find(key)) return known;
  }
  write_batch(events, now.wall_us - (now.mono_us - queued_us), now);
  auto frame = packed(text_, format, compression, &trial);
  frame->batch = true;
  frame->created_us = queued_us;
  for (const EncodedRef& event : events) frame->json_bytes += event->json_bytes;
  frame->events = std::move(events);
  if (cached && frame->binary) cache_.put(std::move(key), frame);
  return frame;
}

FrameRef FrameWriter::gap(const Gap& gap, Now now, Format format, const CompressionOptions& compression) {
  text_ = "{\"type\":\"gap\",\"timestamp\":\"";
  append_timestamp(text_, now.wall_us);
  text_ += "\",\"data\":{\"reason\":\"";
  text_ += to_text(gap.reason);
  text_ += "\",\"count\":" + std::to_string(gap.count) + ",\"by_type\":{";
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    if (gap.by_type[i] == 0) continue;
    append_json_string(text_, to_text(static_cast<EventType>(i)));
    text_ += ':' + std::to_string(gap.by_type[i]) + ',';
  }
  if (text_.back() == ',') text_.pop_back();
  text_ += '}';
  if (gap.from != 0) {
    text_ += ",\"from\":\"" + event_id(stream_, gap.from) + "\",\"to\":\"" + event_id(stream_, gap.to) + '"';
  }
  text_ += "}}";
  auto frame = packed(text_, format, compression, nullptr);
  frame->gap = gap;
  return frame;
}

}  // namespace bindcast
