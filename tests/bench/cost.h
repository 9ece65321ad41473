// SPDX-License-Identifier: MIT
//
// What a piece of work costs a stack, for each message: processor time and wake-ups by role, the
// commands of Redis, and the generator's own processor time.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "cases.h"
#include "usage.h"

namespace letterbox::bench {

/// What a stack has spent since its start.
struct Spent {
  explicit Spent(const Stack& stack);

  ByRole cpu;
  ByRole wakeups;
  RedisCalls redis;
  double own;
};

/// Writes what was spent between the two: `cpu_us`, `wakeups` and their parts by role,
/// `redis_calls` (also those within scripts) and its parts by command, `redis_scripts_us` (the time
/// within scripts), `own_us`.
void write_cost(Values& values, const Spent& begin, const Spent& end, double messages);

/// Processor time alone: `key`, and its parts by role. In microseconds for each message.
void write_cpu(Values& values, const std::string& key, const ByRole& begin, const ByRole& end,
               double messages);

}  // namespace letterbox::bench
