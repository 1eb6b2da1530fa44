#include "tool/top_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "plugin/server/messages.hpp"
#include "tool/event_line.hpp"
#include "tool/safe_text.hpp"

namespace bindcast::tool {

namespace {

double number_or(const json_t* object, const char* key, double otherwise) {
  const json_t* value = json_object_get(object, key);
  return json_is_number(value) ? json_number_value(value) : otherwise;
}

}  // namespace

void TopModel::add(Counts& counts, std::string_view name, double weight) {
  if (const auto known = counts.find(name); known != counts.end())
    known->second += weight;
  else if (counts.size() < kMostNames)
    counts.emplace(name, weight);
}

void TopModel::take_query(const json_t* data, double weight, const json_t* latency) {
  current_.queries += weight;
  const std::string_view rcode = text_member(data, "rcode");
  add(current_.rcodes, rcode.empty() ? "dropped" : rcode, weight);
  add(current_.names, text_member(data, "qname"), weight);
  if (const std::string_view client = text_member(data, "client"); !client.empty())
    add(current_.clients, client, weight);
  if (json_is_number(latency) && current_.latencies_us.size() < kMostLatencies)
    current_.latencies_us.push_back(json_number_value(latency));
}

void TopModel::take_event(const json_t* event) {
  ++current_.received;
  const json_t* metadata = json_object_get(event, "metadata");
  if (json_object_get(metadata, "attempt") != nullptr) return;  // sent again until somebody acknowledges it
  const std::string_view type = text_member(event, "type");
  const json_t* data = json_object_get(event, "data");
  if (type == "dns_query_log") {
    take_query(data, number_or(metadata, "sampled", 1), json_object_get(data, "latency_us"));
  } else if (type == "dns_query_batch") {
    take_query(data, number_or(data, "queries", number_or(data, "count", 1)),
               json_object_get(json_object_get(data, "latency_us"), "mean"));
  } else {
    if (type == "malware_blocked" || type == "phishing_blocked" || type == "dns_query_blocked") {
      const double hits = number_or(data, "count", 1);
      current_.blocked += hits;
      blocked_ever_ += hits;
    }
    note(event_line(event, {}));
  }
}

// What was left out because it was asked to be is in the events' weights.
void TopModel::take_gap(const json_t* gap) {
  const json_t* data = json_object_get(gap, "data");
  if (text_member(data, "reason") == "sampled") return;
  const double count = number_or(data, "count", 0);
  missed_ever_ += static_cast<std::uint64_t>(count);
  current_.queries += number_or(json_object_get(data, "by_type"), "dns_query_log", 0);
}

void TopModel::note(std::string line) {
  notes_.push_back(std::move(line));
  if (notes_.size() > kMostNotes) notes_.pop_front();
}

void TopModel::end_second() {
  past_.push_back(std::move(current_));
  current_ = {};
  if (past_.size() > kWindowSeconds) past_.pop_front();
}

double TopModel::queries_now() const {
  return past_.empty() ? 0 : past_.back().queries;
}

double TopModel::queries_per_second() const {
  double sum = 0;
  for (const Second& second : past_) sum += second.queries;
  return past_.empty() ? 0 : sum / static_cast<double>(past_.size());
}

std::uint64_t TopModel::received_now() const {
  return past_.empty() ? 0 : past_.back().received;
}

double TopModel::blocked_in_window() const {
  double sum = 0;
  for (const Second& second : past_) sum += second.blocked;
  return sum;
}

TopModel::Leaders TopModel::leaders(Counts Second::*of, std::size_t most, double whole) const {
  Counts sums;
  for (const Second& second : past_)
    for (const auto& [name, count] : second.*of) sums[name] += count;
  Leaders all(sums.begin(), sums.end());
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min(most, all.size()));
  std::partial_sort(all.begin(), end, all.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  all.erase(end, all.end());
  for (auto& [name, count] : all) count /= whole;
  return all;
}

TopModel::Leaders TopModel::rcodes() const {
  constexpr std::size_t kMostRcodes = 6;
  double whole = 0;
  for (const Second& second : past_)
    for (const auto& [rcode, count] : second.rcodes) whole += count;
  return leaders(&Second::rcodes, kMostRcodes, whole);
}

TopModel::Leaders TopModel::names(std::size_t most) const {
  return leaders(&Second::names, most, static_cast<double>(past_.size()));
}

TopModel::Leaders TopModel::clients(std::size_t most) const {
  return leaders(&Second::clients, most, static_cast<double>(past_.size()));
}

double TopModel::latency_us(double percentile) const {
  std::vector<double> all;
  for (const Second& second : past_) all.insert(all.end(), second.latencies_us.begin(), second.latencies_us.end());
  if (all.empty()) return 0;
  const auto rank = static_cast<std::ptrdiff_t>(std::ceil(percentile / 100 * static_cast<double>(all.size()))) - 1;
  const auto at = all.begin() + std::clamp<std::ptrdiff_t>(rank, 0, static_cast<std::ptrdiff_t>(all.size()) - 1);
  std::nth_element(all.begin(), at, all.end());
  return *at;
}

}  // namespace bindcast::tool
