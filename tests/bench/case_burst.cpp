// SPDX-License-Identifier: MIT
//
// burst: messages that are pushed while all users are away, and their delivery when all of them
// come.
#include "cases.h"
#include "clock.h"
#include "cost.h"
#include "crowd.h"
#include "failure.h"
#include "pushers.h"
#include "usage.h"

namespace letterbox::bench {
namespace {

constexpr unsigned kConnections = 8;
constexpr unsigned kUsers = 1000;
constexpr unsigned kPerUser = 100;
constexpr int64_t kPatience = 180 * kSecond;

/// Rate and cost of the work between its construction and `write`.
class Meter {
 public:
  explicit Meter(const Stack& stack) : stack_(stack), cpu_(cpu_of(stack)) {}

  void write(Values& values, const std::string& what, uint64_t messages) const {
    const double seconds = static_cast<double>(now_ns() - begin_) / 1e9;
    values[what + "_rate"] = static_cast<double>(messages) / seconds;
    write_cpu(values, what + "_us", cpu_, cpu_of(stack_), static_cast<double>(messages));
  }

 private:
  const Stack& stack_;
  const ByRole cpu_;
  const int64_t begin_ = now_ns();
};

}  // namespace

void run_burst(Run& run) {
  Crowd crowd(run, run.options.count(kUsers));
  BurstPushers pushers(crowd.peer(), run.dialect, crowd.ledger(), kConnections, kPerUser);
  const Meter push_meter(run.stack);
  pushers.start();
  if (!crowd.loop().run_until(now_ns() + kPatience, [&] { return pushers.done(); })) {
    throw Failure("the burst did not go in");
  }
  push_meter.write(run.sample.values, "pushed", crowd.ledger().pushed());

  const Meter fetch_meter(run.stack);
  crowd.audience().come(crowd.arrivals());
  crowd.loop().run_until(now_ns() + kPatience, [&] { return crowd.ledger().complete(); });
  fetch_meter.write(run.sample.values, "fetched", crowd.ledger().delivered());
  crowd.settle();
}

}  // namespace letterbox::bench
