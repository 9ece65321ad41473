// SPDX-License-Identifier: MIT
//
// The cases in which messages flow: closed, flood, paced, crowd, packed, growth.
#include <cstring>
#include <utility>

#include "cases.h"
#include "clock.h"
#include "cost.h"
#include "crowd.h"
#include "pushers.h"
#include "statistics.h"
#include "usage.h"

namespace letterbox::bench {
namespace {

constexpr unsigned kClosedPushers = 8;
constexpr unsigned kFloodPushers = 64;
constexpr double kWarmUp = 0.3;  // of the measured time

/// The figures between two moments.
struct Window {
  Window(Crowd& crowd, const Stack& stack)
      : at(now_ns()), spent(stack), delivered(crowd.ledger().delivered()) {}
  int64_t at;
  Spent spent;
  uint64_t delivered;
};

void write_window(Values& values, const Window& begin, const Window& end) {
  const auto messages = static_cast<double>(end.delivered - begin.delivered);
  if (messages == 0) return;
  values["rate"] = messages * 1e9 / static_cast<double>(end.at - begin.at);
  write_cost(values, begin.spent, end.spent, messages);
}

/// Warms up, measures, stops and lets everything arrive. `pushers` are about to start.
template <class P>
void flow(Run& run, Crowd& crowd, P& pushers) {
  const Options& options = run.options;
  pushers.start();
  crowd.loop().run(now_ns() + seconds_ns(options.seconds * kWarmUp));
  crowd.ledger().begin_window();
  const Window begin(crowd, run.stack);
  crowd.loop().run(begin.at + seconds_ns(options.seconds));
  const Window end(crowd, run.stack);
  crowd.ledger().end_window();
  run.sample.values["threads"] = threads_of(run.stack);
  run.sample.values["redis_connections"] = redis_connections_of(run.stack);
  pushers.stop();
  crowd.loop().run_until(now_ns() + 10 * kSecond, [&] { return pushers.quiet(); });
  crowd.settle();
  write_window(run.sample.values, begin, end);
  std::vector<int64_t>& latencies = crowd.ledger().latencies();
  run.sample.values["timeouts"] = static_cast<double>(crowd.audience().timeouts());
  run.sample.values["p50_us"] = percentile(latencies, 0.50) / 1e3;
  run.sample.values["p99_us"] = percentile(latencies, 0.99) / 1e3;
}

void run_in_a_loop(Run& run, unsigned connections) {
  Crowd crowd(run, run.options.count(1000));
  crowd.park();
  ClosedPushers pushers(crowd.peer(), run.dialect, crowd.ledger(), connections);
  flow(run, crowd, pushers);
}

void run_at_pace(Run& run, unsigned clients, double per_second) {
  Crowd crowd(run, clients);
  crowd.park();
  PacedPushers pushers(crowd.peer(), run.dialect, crowd.ledger(), per_second);
  flow(run, crowd, pushers);
  run.sample.values["behind_ms"] = static_cast<double>(pushers.most_behind()) / 1e6;
}

}  // namespace

void run_closed(Run& run) { run_in_a_loop(run, kClosedPushers); }

void run_flood(Run& run) { run_in_a_loop(run, kFloodPushers); }

void run_paced(Run& run) { run_at_pace(run, run.options.count(1000), run.options.count(2000)); }

void run_crowd(Run& run) { run_at_pace(run, run.options.count(10'000), run.options.count(1000)); }

void run_packed(Run& run) { run_at_pace(run, run.options.count(18'000), run.options.count(1000)); }

void run_growth(Run& run) {
  const std::string prefix = run.prefix;
  run.prefix = prefix + "few";
  run_at_pace(run, run.options.count(100), run.options.count(1000));
  const Values few = std::exchange(run.sample.values, {});
  run.prefix = prefix + "many";
  run_at_pace(run, run.options.count(10'000), run.options.count(1000));
  const Values many = std::exchange(run.sample.values, {});
  for (const auto& [key, value] : many) {
    if (!key.starts_with("cpu_us")) continue;
    const std::string of_role = key.substr(std::strlen("cpu_us"));  // ".redis"; empty: of all
    run.sample.values["few_us" + of_role] = few.at(key);
    run.sample.values["many_us" + of_role] = value;
    if (few.at(key) > 0) run.sample.values["growth" + of_role] = value / few.at(key);
  }
}

}  // namespace letterbox::bench
