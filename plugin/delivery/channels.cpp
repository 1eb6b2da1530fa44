#include "plugin/delivery/channels.hpp"

#include <algorithm>
#include <utility>

namespace bindcast {

Channels::Channels(Hub& hub, const Options& options) : hub_(hub), house_(hub.identity(), hub.encoder().held()) {
  configure(options);
}

Channels::~Channels() = default;

void Channels::configure(const Options& options) {
  queue_options_ = options.queues;
  rate_limit_ = options.rate_limit;
  house_.writer.set_cache_bound(options.batching.compression.enabled ? options.batching.compression.cache : 0);
  for (const auto& [key, channel] : channels_) {
    channel->bucket_.configure(rate_limit_.events_per_second, rate_limit_.burst);
    channel->standings_changed();
  }
}

void Channels::enter(ClientQueue& client, const Wish& wish, Now now) {
  const std::string key = wish.subscriptions.empty() ? std::string() : wish.key();
  if (client.channel() != nullptr && client.channel()->key_ == key) return;
  hub_.collect_counts(now);
  leave(client, now);
  client.pack_as(wish.packing);
  if (wish.subscriptions.empty()) return;
  auto found = channels_.find(key);
  if (found == channels_.end()) {
    found = channels_.emplace(key, std::make_unique<Channel>(*this, wish)).first;
    if (wish.packing.format == Format::deflate) ++deflate_channels_;
  }
  found->second->join(client, now);
}

void Channels::leave(ClientQueue& client, Now now) {
  Channel* channel = client.channel();
  if (channel == nullptr) return;
  hub_.collect_counts(now);
  channel->leave(client, now);
  remove_if_empty(*channel);
}

void Channels::forget(ClientQueue& client) {
  Channel* channel = client.channel();
  if (channel == nullptr) return;
  channel->forget(client);
  remove_if_empty(*channel);
}

void Channels::remove_if_empty(Channel& channel) {
  if (!channel.empty()) return;
  if (channel.wish_.packing.format == Format::deflate) --deflate_channels_;
  std::erase(touched_, &channel);
  channels_.erase(channels_.find(channel.key_));
}

void Channels::touch(Channel& channel) {
  if (channel.touched_) return;
  touched_.push_back(&channel);
  channel.touched_ = true;
}

void Channels::run(Now now) {
  const bool all = next_due_us_ != 0 && next_due_us_ <= now.mono_us;
  if (touched_.empty() && !all) return;
  if (all) {
    for (const auto& [key, channel] : channels_) {
      const std::int64_t due = channel->due_us();
      if (due != 0 && due <= now.mono_us) touch(*channel);
    }
  }
  // Running one touches none: what it hands over goes into queues.
  for (Channel* channel : std::exchange(touched_, {})) {
    channel->touched_ = false;
    if (!hub_.faults().contain([&] { channel->run(now); })) channel->failed();
  }
  next_due_us_ = 0;
  for (const auto& [key, channel] : channels_) {
    const std::int64_t due = channel->due_us();
    if (due != 0 && (next_due_us_ == 0 || due < next_due_us_)) next_due_us_ = due;
  }
}

void Channels::flush(Now now) {
  for (const auto& entry : channels_) {
    Channel& channel = *entry.second;
    if (!hub_.faults().contain([&] { channel.flush(now); })) channel.failed();
  }
}

void Channels::loop_was_busy(std::int64_t us) noexcept {
  constexpr double kShare = 0.2;
  loop_busy_us_.record(us);
  lag_us_ += (static_cast<double>(us) - lag_us_) * kShare;
}

}  // namespace bindcast
