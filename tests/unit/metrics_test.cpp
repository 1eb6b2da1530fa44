// /metrics as text: both formats, letter by letter.

#include "harness.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>

#include "plugin/metrics/metrics.hpp"

namespace {

using namespace bindcast;
using Kind = MetricsText::Kind;

void write_all(MetricsText& text) {
  text.family(Kind::info, "build", "What runs.");
  text.sample(std::uint64_t{1}, {{"version", "1"}});
  text.family(Kind::counter, "sent_bytes", "What was sent.", "bytes");
  text.sample(std::uint64_t{18'446'744'073'709'551'615U}, {{"to", "a\"b\\c\nd"}, {"by", ""}});
  text.family(Kind::gauge, "load", "Says \"how much\",\nby \\.");
  text.sample(0.25);
  text.sample(std::nan(""), {{"of", "x"}});
  text.sample(-std::numeric_limits<double>::infinity(), {{"of", "y"}});
  text.family(Kind::summary, "wait_seconds", "How long.", "seconds");
  text.quantile(0.5, 1e-6, {{"at", "z"}});
  text.count_and_sum(3, 0.5, {{"at", "z"}});
}

void openmetrics(void**) {
  Metrics metrics;
  metrics.add(write_all);
  assert_string_equal(metrics.text(MetricsFormat::openmetrics).c_str(),
                      "# TYPE bindcast_build info\n"
                      "# HELP bindcast_build What runs.\n"
                      "bindcast_build_info{version=\"1\"} 1\n"
                      "# TYPE bindcast_sent_bytes counter\n"
                      "# UNIT bindcast_sent_bytes bytes\n"
                      "# HELP bindcast_sent_bytes What was sent.\n"
                      "bindcast_sent_bytes_total{to=\"a\\\"b\\\\c\\nd\",by=\"\"} 18446744073709551615\n"
                      "# TYPE bindcast_load gauge\n"
                      "# HELP bindcast_load Says \\\"how much\\\",\\nby \\\\.\n"
                      "bindcast_load 0.25\n"
                      "bindcast_load{of=\"x\"} NaN\n"
                      "bindcast_load{of=\"y\"} -Inf\n"
                      "# TYPE bindcast_wait_seconds summary\n"
                      "# UNIT bindcast_wait_seconds seconds\n"
                      "# HELP bindcast_wait_seconds How long.\n"
                      "bindcast_wait_seconds{at=\"z\",quantile=\"0.5\"} 1e-06\n"
                      "bindcast_wait_seconds_count{at=\"z\"} 3\n"
                      "bindcast_wait_seconds_sum{at=\"z\"} 0.5\n"
                      "# EOF\n");
}

void older_format(void**) {
  Metrics metrics;
  metrics.add([](MetricsText& text) {
    text.family(Kind::info, "build", "What \"runs\".");
    text.sample(std::uint64_t{1});
    text.family(Kind::counter, "sent_bytes", "What was sent.", "bytes");
    text.sample(std::uint64_t{2});
  });
  assert_string_equal(metrics.text(MetricsFormat::prometheus).c_str(),
                      "# TYPE bindcast_build_info gauge\n"
                      "# HELP bindcast_build_info What \"runs\".\n"
                      "bindcast_build_info 1\n"
                      "# TYPE bindcast_sent_bytes_total counter\n"
                      "# HELP bindcast_sent_bytes_total What was sent.\n"
                      "bindcast_sent_bytes_total 2\n");
}

void a_writer_that_fails_leaves_the_others(void**) {
  Metrics metrics;
  metrics.add([](MetricsText&) { throw std::runtime_error("no"); });
  metrics.add([](MetricsText& text) {
    text.family(Kind::gauge, "load", "Load.");
    text.sample(std::uint64_t{1});
  });
  assert_string_equal(metrics.text(MetricsFormat::prometheus).c_str(),
                      "# TYPE bindcast_load gauge\n# HELP bindcast_load Load.\nbindcast_load 1\n");
}

void the_format_is_what_is_asked_for(void**) {
  assert_true(metrics_format_for("") == MetricsFormat::prometheus);
  assert_true(metrics_format_for("*/*") == MetricsFormat::prometheus);
  assert_true(metrics_format_for("text/plain;version=0.0.4;q=0.9") == MetricsFormat::prometheus);
  assert_true(metrics_format_for("application/openmetrics-text;version=1.0.0,text/plain;q=0.5") ==
              MetricsFormat::openmetrics);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(openmetrics),
      cmocka_unit_test(older_format),
      cmocka_unit_test(a_writer_that_fails_leaves_the_others),
      cmocka_unit_test(the_format_is_what_is_asked_for),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
