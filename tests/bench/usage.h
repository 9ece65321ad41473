// SPDX-License-Identifier: MIT
//
// What a stack takes from the machine: processor time, memory, threads, connections. Read from
// /proc, over every process of the stack, and from its Redis.
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

unsigned threads_of(const Stack& stack);
unsigned open_files_of(const Stack& stack);
/// But for the one that asks.
unsigned redis_connections_of(const Stack& stack);

}  // namespace letterbox::bench
