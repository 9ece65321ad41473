// SPDX-License-Identifier: MIT
//
// The resources that a stack uses: processor time, wake-ups, memory, threads, connections. Read
// from /proc, over every process of the stack, and from its Redis.
#pragma once

#include <map>
#include <string>

#include "stack.h"

namespace letterbox::bench {

/// By role, and their sum under "".
using ByRole = std::map<std::string, double>;

/// Seconds since each process' start.
ByRole cpu_of(const Stack& stack);
ByRole pss_kb_of(const Stack& stack);
/// How often a thread went to sleep until there was something to do, since its start.
ByRole wakeups_of(const Stack& stack);

unsigned threads_of(const Stack& stack);
unsigned open_files_of(const Stack& stack);
/// Except the one that asks.
unsigned redis_connections_of(const Stack& stack);

/// What all Redis servers of a stack say of themselves since their start. Empty: it has none.
struct RedisCalls {
  std::map<std::string, double> calls;  // by command; those within scripts, too
  double scripts_us = 0;                // the time spent in scripts
};
RedisCalls redis_calls_of(const Stack& stack);

}  // namespace letterbox::bench
