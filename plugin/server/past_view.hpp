// Past events as one viewer may see them: which, and how clearly (hub/sight.hpp). Everything of the past that is given
// to anybody, by a replay or by the history, comes through here. What was kept before the privacy of all became
// stricter is shown as strictly. Loop thread only.
#pragma once

#include <memory>
#include <string>

#include "plugin/clock.hpp"
#include "plugin/hub/encoded_event.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/journal/past.hpp"

namespace bindcast {

struct PastViewer {
  std::shared_ptr<const Sight> sight;
  std::string user;
};

// An event that is there, not to be read first.
class KnownEvent : public PastLook {
 public:
  KnownEvent(const Event& event, const StreamIdentity& of, bool running);
  [[nodiscard]] const Event* event() const override { return &event_; }

 private:
  const Event& event_;
};

class PastView {
 public:
  explicit PastView(Hub& hub) : hub_(hub) {}
  PastView(const PastView&) = delete;
  PastView& operator=(const PastView&) = delete;

  // What is asked of the store for this viewer: types, wish, sight.
  void ask_for(PastRequest& request, std::bitset<kEventTypeCount> types, std::shared_ptr<const PastWish> wish,
               const PastViewer& viewer) const;
  // A stored event in the form in which the viewer sees it, or none when he does not, or does not want that form of it.
  // Of an earlier epoch its offset is 0.
  [[nodiscard]] EncodedRef show(PastEvent& event, const PastWish& wish, const PastViewer& viewer, Now now);
  // The same of one that the hub remembers.
  [[nodiscard]] EncodedRef show(const EncodedRef& event, const PastWish& wish, const PastViewer& viewer, Now now);

 private:
  [[nodiscard]] std::string_view written(const Event& event, const std::shared_ptr<const StreamIdentity>& stream);

  Hub& hub_;
  std::shared_ptr<const StreamIdentity> written_for_;  // the stream of writer_
  std::unique_ptr<EventWriter> writer_;
};

}  // namespace bindcast
