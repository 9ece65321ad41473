// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "base/metrics.h"

namespace letterbox::test {
namespace {

using Type = MetricsText::Type;

TEST_CASE("a metric is its help, its type, and a line for each sample") {
  MetricsText text;
  text.begin("polls_ended_total", Type::counter, "Polls that have ended, by reason.");
  text.sample({{"reason", "messages"}}, 7);
  text.sample({{"reason", "gone"}, {"client", ""}}, 0);
  text.begin("polls_parked", Type::gauge, "Polls that wait.");
  text.sample({}, 3);
  CHECK(text.take() ==
        "# HELP polls_ended_total Polls that have ended, by reason.\n"
        "# TYPE polls_ended_total counter\n"
        "polls_ended_total{reason=\"messages\"} 7\n"
        "polls_ended_total{reason=\"gone\",client=\"\"} 0\n"
        "# HELP polls_parked Polls that wait.\n"
        "# TYPE polls_parked gauge\n"
        "polls_parked 3\n");
  CHECK(text.take().empty());
}

TEST_CASE("nothing in a text ends its line or its quotes") {
  MetricsText text;
  text.begin("a", Type::gauge, "back\\slash, \"quote\" and\nline");
  text.sample({{"label", "back\\slash, \"quote\" and\nline"}}, 1);
  CHECK(text.take() ==
        "# HELP a back\\\\slash, \"quote\" and\\nline\n"
        "# TYPE a gauge\n"
        "a{label=\"back\\\\slash, \\\"quote\\\" and\\nline\"} 1\n");
}

TEST_CASE("whole numbers are written in full, others as short as they can be") {
  const auto written = [](double number) {
    MetricsText text;
    text.begin("a", Type::gauge, "");
    text.sample({}, number);
    const std::string all = text.take();
    return all.substr(all.rfind(' ') + 1);
  };
  CHECK(written(0) == "0\n");
  CHECK(written(-1) == "-1\n");
  CHECK(written(9'007'199'254'740'991) == "9007199254740991\n");
  CHECK(written(1e22) == "10000000000000000000000\n");
  CHECK(written(0.1) == "0.1\n");
  CHECK(written(1e-6) == "0.000001\n");
  CHECK(written(1'795'287'654.123) == "1795287654.123\n");
}

TEST_CASE("a time that equals a bound is below it, a longer one is not") {
  LatencyHistogram latency;
  for (const uint64_t us : {0, 100, 101, 250, 2'500'000, 2'500'001, 60'000'000}) {
    latency.observe(us);
  }
  const auto now = latency.snapshot();
  CHECK(now.counts[0] == 2);
  CHECK(now.counts[1] == 2);
  CHECK(now.counts[LatencyHistogram::kBoundsUs.size() - 1] == 1);
  CHECK(now.counts[LatencyHistogram::kBoundsUs.size()] == 2);
  CHECK(now.sum_us == 451 + 2'500'000 + 2'500'001 + 60'000'000);
}

TEST_CASE("a histogram's bucket counts each time below its bound, the last bucket every time") {
  LatencyHistogram one;
  LatencyHistogram other;
  for (const uint64_t us : {50, 200, 700}) one.observe(us);
  for (const uint64_t us : {200, 9'000'000}) other.observe(us);
  auto both = one.snapshot();
  both += other.snapshot();
  MetricsText text;
  text.begin("wait_seconds", Type::histogram, "Waits.");
  text.histogram(both);
  CHECK(text.take() ==
        "# HELP wait_seconds Waits.\n"
        "# TYPE wait_seconds histogram\n"
        "wait_seconds_bucket{le=\"0.0001\"} 1\n"
        "wait_seconds_bucket{le=\"0.00025\"} 3\n"
        "wait_seconds_bucket{le=\"0.0005\"} 3\n"
        "wait_seconds_bucket{le=\"0.001\"} 4\n"
        "wait_seconds_bucket{le=\"0.0025\"} 4\n"
        "wait_seconds_bucket{le=\"0.005\"} 4\n"
        "wait_seconds_bucket{le=\"0.01\"} 4\n"
        "wait_seconds_bucket{le=\"0.025\"} 4\n"
        "wait_seconds_bucket{le=\"0.05\"} 4\n"
        "wait_seconds_bucket{le=\"0.1\"} 4\n"
        "wait_seconds_bucket{le=\"0.25\"} 4\n"
        "wait_seconds_bucket{le=\"0.5\"} 4\n"
        "wait_seconds_bucket{le=\"1\"} 4\n"
        "wait_seconds_bucket{le=\"2.5\"} 4\n"
        "wait_seconds_bucket{le=\"+Inf\"} 5\n"
        "wait_seconds_sum 9.00115\n"
        "wait_seconds_count 5\n");
}

TEST_CASE("counts of several threads at once are counted in full") {
  Counter counter;
  Gauge gauge;
  LatencyHistogram latency;
  constexpr uint64_t kEach = 20'000;
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (uint64_t n = 0; n < kEach; ++n) {
          counter.add();
          gauge.add(n % 2 == 0 ? 2 : -1);
          latency.observe(n);
        }
      });
    }
  }
  CHECK(counter.value() == 4 * kEach);
  CHECK(gauge.value() == 2 * kEach);
  const auto now = latency.snapshot();
  CHECK(std::accumulate(now.counts.begin(), now.counts.end(), uint64_t{0}) == 4 * kEach);
  CHECK(now.sum_us == 4 * (kEach * (kEach - 1) / 2));
}

}  // namespace
}  // namespace letterbox::test
