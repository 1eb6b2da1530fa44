#include "plugin/metrics/metrics.hpp"

#include <charconv>
#include <cmath>
#include <exception>
#include <utility>

namespace bindcast {

namespace {

constexpr std::string_view kKindNames[] = {"counter", "gauge", "summary", "info"};

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

void append_escaped(std::string& text, std::string_view value) {
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
    } else {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
  }
}

}  // namespace

void MetricsText::family(Kind kind, std::string_view name, std::string_view help, std::string_view unit) {
  kind_ = kind;
  name_ = "bindcast_";
  name_ += name;
  text_ += "# TYPE " + name_ + " " + std::string(kKindNames[static_cast<std::size_t>(kind)]) + "\n";
  if (!unit.empty()) text_ += "# UNIT " + name_ + " " + std::string(unit) + "\n";
  text_ += "# HELP " + name_ + " ";
  append_escaped(text_, help);
  text_ += "\n";
}

void MetricsText::line(std::string_view suffix, Labels labels, std::string_view quantile, std::string_view value) {
  text_ += name_;
  text_ += suffix;
  if (labels.size() != 0 || !quantile.empty()) {
    char before = '{';
    const auto label = [&](std::string_view name, std::string_view of_it) {
      text_ += std::exchange(before, ',');
      text_ += name;
      text_ += "=\"";
      append_escaped(text_, of_it);
      text_ += '"';
    };
    for (const Label& each : labels) label(each.name, each.value);
    if (!quantile.empty()) label("quantile", quantile);
    text_ += '}';
  }
  text_ += ' ';
  text_ += value;
  text_ += '\n';
}

void MetricsText::sample(std::uint64_t value, Labels labels) {
  line(kind_ == Kind::counter ? "_total" : kind_ == Kind::info ? "_info" : "", labels, {}, std::to_string(value));
}

void MetricsText::sample(double value, Labels labels) {
  line(kind_ == Kind::counter ? "_total" : "", labels, {}, number_text(value));
}

void MetricsText::quantile(double quantile, double value, Labels labels) {
  line("", labels, number_text(quantile), number_text(value));
}

void MetricsText::count_and_sum(std::uint64_t count, double sum, Labels labels) {
  line("_count", labels, {}, std::to_string(count));
  line("_sum", labels, {}, number_text(sum));
}

std::string MetricsText::finish() && {
  text_ += "# EOF\n";
  return std::move(text_);
}

std::string Metrics::text() const {
  MetricsText text;
  for (const Writer& writer : writers_) {
    try {
      writer(text);
    } catch (const std::exception&) {  // the others go on
    }
  }
  return std::move(text).finish();
}

}  // namespace bindcast
