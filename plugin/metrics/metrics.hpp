// Numbers for Prometheus and its like: OpenMetrics 1.0 text (https://prometheus.io/docs/specs/om/open_metrics_spec/)
// for whoever asks for it, as Prometheus does, else Prometheus' older text format 0.0.4, which everything else reads.
//
// Whoever has numbers adds a writer, which is called for each scrape and writes its families. Nothing is kept between
// two scrapes. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace bindcast {

enum class MetricsFormat : std::uint8_t { openmetrics, prometheus };
// What an Accept header asks for.
[[nodiscard]] MetricsFormat metrics_format_for(std::string_view accept) noexcept;
[[nodiscard]] std::string_view content_type_of(MetricsFormat format) noexcept;

class MetricsText {
 public:
  explicit MetricsText(MetricsFormat format) : format_(format) {}

  enum class Kind : std::uint8_t { counter, gauge, summary, info };
  struct Label {
    std::string_view name;   // a literal: a name by the rules of OpenMetrics
    std::string_view value;  // any text; escaped here
  };
  using Labels = std::initializer_list<Label>;

  // Begins a family: "bindcast_" and `name`, which ends in the unit, if it has one, and never in _total. All samples of
  // a family follow its beginning, before the next one begins.
  void family(Kind kind, std::string_view name, std::string_view help, std::string_view unit = {});
  void sample(std::uint64_t value, Labels labels = {});
  void sample(double value, Labels labels = {});
  // Of a summary: the value that a share `quantile` (0 to 1) does not exceed.
  void quantile(double quantile, double value, Labels labels = {});
  // Of a summary: how many were observed, and their sum.
  void count_and_sum(std::uint64_t count, double sum, Labels labels = {});

  // The whole text.
  [[nodiscard]] std::string finish() &&;

 private:
  void line(std::string_view suffix, Labels labels, std::string_view quantile, std::string_view value);

  MetricsFormat format_;
  Kind kind_ = Kind::gauge;
  std::string name_;
  std::string text_;
};

class Metrics {
 public:
  using Writer = std::function<void(MetricsText&)>;
  // Called as long as this lives. One that throws leaves the scrape without what it had still to write.
  void add(Writer writer) { writers_.push_back(std::move(writer)); }
  [[nodiscard]] std::string text(MetricsFormat format) const;

 private:
  std::vector<Writer> writers_;
};

}  // namespace bindcast
