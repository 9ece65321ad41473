// SPDX-License-Identifier: MIT
#include "share.h"

#include <cmath>

#include "process.h"
#include "wait.h"

namespace letterbox::bench {
namespace {

constexpr double kPeriod = 10e6;  // ns; short beside what a person waits for

}  // namespace

// The kernel's deadline scheduler gives a thread this part of each period. It concerns
// the thread that serves clients; those that sync files are left alone.
void limit_redis(const Stack& stack, double share, const std::string& log) {
  const std::string period = std::to_string(std::lround(kPeriod));
  const std::string part = std::to_string(std::lround(kPeriod * share));
  for (const Role& role : stack.roles()) {
    if (role.name != "redis" && role.name != "replica") continue;
    const int status =
        run({"chrt", "--deadline", "--reset-on-fork", "--sched-runtime", part, "--sched-deadline",
             period, "--sched-period", period, "--pid", "0", std::to_string(role.pid)},
            log);
    if (status != 0) throw failure_with_log("Redis could not be given a share of a core", log);
  }
}

}  // namespace letterbox::bench
