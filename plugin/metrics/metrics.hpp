// Numbers for Prometheus and its like, as OpenMetrics 1.0 text
// (https://prometheus.io/docs/specs/om/open_metrics_spec/).
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

class MetricsText {
 public:
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

  // The whole text; it ends with the line that says so.
  [[nodiscard]] std::string finish() &&;

 private:
  void line(std::string_view suffix, Labels labels, std::string_view quantile, std::string_view value);

  Kind kind_ = Kind::gauge;
  std::string name_;
  std::string text_;
};

class Metrics {
 public:
  using Writer = std::function<void(MetricsText&)>;
  // Called as long as this lives. One that throws leaves the scrape without what it had still to write.
  void add(Writer writer) { writers_.push_back(std::move(writer)); }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Writer> writers_;
};

}  // namespace bindcast
