#include "tool/top_screen.hpp"

#include <algorithm>
#include <cstdio>

#include "tool/event_line.hpp"
#include "tool/safe_text.hpp"
#include "tool/status_text.hpp"

namespace bindcast::tool {

namespace {

constexpr std::size_t kNumberWidth = 9;
constexpr std::size_t kFixedLines = 10;  // the head, and the lines between the parts

std::string decimal(double number) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f", number);
  return text;
}

std::string milliseconds(double us) {
  return decimal(us / 1000) + " ms";
}

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

std::size_t characters(const std::string& text) {
  return text.size() - static_cast<std::size_t>(std::ranges::count_if(text, continues_character));
}

// Cut, or filled up with spaces, to so many characters.
std::string fitted(std::string text, std::size_t width, bool fill = true) {
  std::size_t at = 0, count = 0;
  while (at < text.size() && (continues_character(text[at]) || count < width))
    count += continues_character(text[at++]) ? 0 : 1;
  text.resize(at);
  if (fill && count < width) text.append(width - count, ' ');
  return text;
}

std::string right(const std::string& text, std::size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string rcodes(const TopModel& model) {
  std::string out;
  for (const auto& [rcode, share] : model.rcodes())
    out += (out.empty() ? "" : "  ") + safe_text(rcode, kMostShownBytes) + " " + decimal(share * 100) + " %";
  return out.empty() ? "-" : out;
}

std::string latencies(const TopModel& model) {
  return "p50 " + milliseconds(model.latency_us(50)) + "  p90 " + milliseconds(model.latency_us(90)) + "  p99 " +
         milliseconds(model.latency_us(99));
}

std::string server(const json_t* status) {
  if (status == nullptr) return "";
  const auto text = [status](const char* key) { return shown(json_object_get(status, key)); };
  return text("service") + " on " + text("host") + ", " + text("connections") + " connections";
}

std::string alerts(const json_t* status) {
  return shown(json_object_get(json_object_get(status, "alerts"), "open"));
}

std::string leader(const TopModel::Leaders& leaders, std::size_t i, std::size_t width) {
  if (i >= leaders.size()) return std::string(width, ' ');
  return fitted(safe_text(leaders[i].first, kMostShownBytes), width - kNumberWidth) +
         right(decimal(leaders[i].second), kNumberWidth);
}

}  // namespace

std::vector<std::string> top_screen(const TopModel& model, const TopHead& head, std::size_t width, std::size_t height) {
  std::vector<std::string> lines;
  const std::string title = head.trouble.empty() ? server(head.status) : head.trouble;
  const std::size_t room = width - std::min(width, characters(head.time) + 1);
  lines.push_back(fitted("bindcast top   " + title, room) + " " + head.time);
  std::string queries = decimal(model.queries_now()) + " now  " + decimal(model.queries_per_second()) + " in " +
                        std::to_string(TopModel::kWindowSeconds) + " s";
  if (head.sample > 1) queries += "  (1 in " + std::to_string(head.sample) + " looked at)";
  if (model.missed_ever() != 0) queries += "  " + std::to_string(model.missed_ever()) + " events missed";
  lines.push_back("queries/s  " + queries);
  lines.push_back("rcodes     " + rcodes(model));
  lines.push_back("latency    " + latencies(model));
  lines.push_back("blocked    " + decimal(model.blocked_in_window()) + " in " +
                  std::to_string(TopModel::kWindowSeconds) + " s  " + decimal(model.blocked_ever()) +
                  " since the start  alerts open " + alerts(head.status));
  lines.push_back("named      " + named_text(head.status));
  lines.push_back("health     " + health_text(head.status));
  lines.emplace_back();

  // What is left is shared: leaders two thirds, the latest events one third.
  const std::size_t left = height > kFixedLines ? height - kFixedLines : 0;
  const std::size_t notes = std::min(left / 3, model.notes().size()), rows = left - notes;
  const std::size_t names_width = (width - 2) * 6 / 10, clients_width = width - 2 - names_width;
  const auto names = model.names(rows), clients = model.clients(rows);
  lines.push_back(fitted("NAME", names_width - kNumberWidth) + right("/s", kNumberWidth) + "  " +
                  fitted("CLIENT", clients_width - kNumberWidth) + right("/s", kNumberWidth));
  for (std::size_t i = 0; i < rows; ++i)
    lines.push_back(leader(names, i, names_width) + "  " + leader(clients, i, clients_width));
  for (std::size_t i = model.notes().size() - notes; i < model.notes().size(); ++i) lines.push_back(model.notes()[i]);
  lines.emplace_back("q quits");
  if (lines.size() > height) lines.resize(height);
  for (std::string& line : lines) line = fitted(std::move(line), width, false);
  return lines;
}

std::string top_line(const TopModel& model, const TopHead& head) {
  std::string line = head.time + " queries/s " + decimal(model.queries_now()) + "  " + rcodes(model) + "  " +
                     latencies(model) + "  blocked " + decimal(model.blocked_in_window());
  for (const auto& [name, rate] : model.names(3))
    line += "  " + safe_text(name, kMostShownBytes) + " " + decimal(rate) + "/s";
  if (!head.trouble.empty()) line += "  " + head.trouble;
  return line;
}

}  // namespace bindcast::tool
