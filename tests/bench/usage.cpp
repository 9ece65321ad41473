// SPDX-License-Identifier: MIT
#include "usage.h"

#include "process.h"
#include "redis_link.h"

namespace letterbox::bench {
namespace {

template <class Read>
ByRole by_role(const Stack& stack, Read read) {
  ByRole out;
  for (const Role& role : stack.roles()) {
    for (const pid_t pid : family({role.pid})) {
      const double value = read(pid);
      out[role.name] += value;
      out[""] += value;
    }
  }
  return out;
}

}  // namespace

ByRole cpu_of(const Stack& stack) { return by_role(stack, cpu_seconds); }

ByRole pss_kb_of(const Stack& stack) { return by_role(stack, pss_kb); }

unsigned threads_of(const Stack& stack) {
  return static_cast<unsigned>(by_role(stack, thread_count)[""]);
}

unsigned open_files_of(const Stack& stack) {
  return static_cast<unsigned>(by_role(stack, open_files)[""]);
}

unsigned redis_connections_of(const Stack& stack) {
  if (stack.redis().empty()) return 0;
  RedisLink link(stack.redis());
  if (!link.connected()) return 0;
  return static_cast<unsigned>(info_number(link.ask({"INFO", "clients"}), "connected_clients")) - 1;
}

}  // namespace letterbox::bench
