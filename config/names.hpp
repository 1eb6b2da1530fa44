// The words of YAML for each enumeration, in the order of its values.
//
// Constant; any thread.
#pragma once

#include <string_view>
#include <vector>

#include "config/options.hpp"

namespace bindcast {

using Names = std::vector<std::string_view>;

template <class E>
const Names& names_of();

namespace detail {
template <class E, std::size_t count>
Names vocabulary() {
  Names names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(to_text(static_cast<E>(i)));
  return names;
}
}  // namespace detail

template <>
inline const Names& names_of<EventType>() {
  static const Names names = detail::vocabulary<EventType, kEventTypeCount>();
  return names;
}
template <>
inline const Names& names_of<Category>() {
  static const Names names = detail::vocabulary<Category, kCategoryCount>();
  return names;
}
template <>
inline const Names& names_of<Priority>() {
  static const Names names = detail::vocabulary<Priority, kPriorityCount>();
  return names;
}
template <>
inline const Names& names_of<Severity>() {
  static const Names names = detail::vocabulary<Severity, kSeverityCount>();
  return names;
}
template <>
inline const Names& names_of<Audience>() {
  static const Names names{"all", "admin"};
  return names;
}
template <>
inline const Names& names_of<AuthOptions::Mode>() {
  static const Names names{"required", "open"};
  return names;
}
template <>
inline const Names& names_of<ClientAddressPrivacy>() {
  static const Names names{"full", "prefix", "hash", "none"};
  return names;
}
template <>
inline const Names& names_of<QueryNamePrivacy>() {
  static const Names names{"full", "domain", "hash", "none"};
  return names;
}
template <>
inline const Names& names_of<Right>() {
  static const Names names{"watch", "acknowledge", "publish", "administer"};
  return names;
}
template <>
inline const Names& names_of<BatchingOptions::Profile>() {
  static const Names names{"default", "production", "high_volume", "low_latency"};
  return names;
}
template <>
inline const Names& names_of<BatchStrategy>() {
  static const Names names{"time_based", "size_based", "hybrid", "priority_based", "adaptive"};
  return names;
}
template <>
inline const Names& names_of<OverflowPolicy>() {
  static const Names names{"drop_lowest", "drop_oldest", "drop_newest", "disconnect"};
  return names;
}
template <>
inline const Names& names_of<SourcesOptions::Analytics::When>() {
  static const Names names{"auto", "true", "false"};
  return names;
}
template <>
inline const Names& names_of<JournalOptions::Sync>() {
  static const Names names{"off", "normal", "full"};
  return names;
}

template <class E>
std::string_view name_of(E value) {
  return names_of<E>().at(static_cast<std::size_t>(value));
}

}  // namespace bindcast
