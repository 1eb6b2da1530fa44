#include "plugin/metrics/metrics.hpp"

#include <charconv>
#include <cmath>
#include <exception>
#include <utility>

namespace bindcast {

namespace {

constexpr std::string_view kKindNames[] = {"counter", "gauge", "summary", "info"};
constexpr std::string_view kSuffixes[] = {"_total", "", "", "_info"};

template <class Enum>
std::size_t index_of(Enum value) {
  return static_cast<std::size_t>(value);
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

void append_escaped(std::string& text, std::string_view value, bool quotes) {
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
    } else {
      if ((c == '"' && quotes) || c == '\\') text += '\\';
      text += c;
    }
  }
}

}  // namespace

MetricsFormat metrics_format_for(std::string_view accept) noexcept {
  return accept.find("application/openmetrics-text") == std::string_view::npos ? MetricsFormat::prometheus
                                                                               : MetricsFormat::openmetrics;
}

std::string_view content_type_of(MetricsFormat format) noexcept {
  return format == MetricsFormat::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                              : "text/plain; version=0.0.4; charset=utf-8";
}

void MetricsText::family(Kind kind, std::string_view name, std::string_view help, std::string_view unit) {
  kind_ = kind;
  name_ = "bindcast_";
  name_ += name;
  // The older format knows no units and no kind "info", and calls a family as its samples.
  const bool older = format_ == MetricsFormat::prometheus;
  const std::string called = older ? name_ + std::string(kSuffixes[index_of(kind)]) : name_;
  const Kind known = older && kind == Kind::info ? Kind::gauge : kind;
  text_ += "# TYPE " + called + " " + std::string(kKindNames[index_of(known)]) + "\n";
  if (!unit.empty() && !older) text_ += "# UNIT " + called + " " + std::string(unit) + "\n";
  text_ += "# HELP " + called + " ";
  append_escaped(text_, help, !older);
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
      append_escaped(text_, of_it, true);
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
  line(kSuffixes[index_of(kind_)], labels, {}, std::to_string(value));
}

void MetricsText::sample(double value, Labels labels) {
  line(kSuffixes[index_of(kind_)], labels, {}, number_text(value));
}

void MetricsText::quantile(double quantile, double value, Labels labels) {
  line("", labels, number_text(quantile), number_text(value));
}

void MetricsText::count_and_sum(std::uint64_t count, double sum, Labels labels) {
  line("_count", labels, {}, std::to_string(count));
  line("_sum", labels, {}, number_text(sum));
}

std::string MetricsText::finish() && {
  if (format_ == MetricsFormat::openmetrics) text_ += "# EOF\n";
  return std::move(text_);
}

std::string Metrics::text(MetricsFormat format) const {
  MetricsText text(format);
  for (const Writer& writer : writers_) {
    try {
      writer(text);
    } catch (const std::exception&) {  // the others go on
    }
  }
  return std::move(text).finish();
}

}  // namespace bindcast
