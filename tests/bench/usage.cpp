// SPDX-License-Identifier: MIT
#include "usage.h"

#include <cstdlib>

#include "process.h"
#include "redis_link.h"
#include "text.h"

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

/// Empty if nothing listens there.
std::string redis_info(const std::string& address, const char* section) {
  RedisLink link(address);
  return link.connected() ? link.ask({"INFO", section}) : "";
}

}  // namespace

ByRole cpu_of(const Stack& stack) { return by_role(stack, cpu_seconds); }

ByRole pss_kb_of(const Stack& stack) { return by_role(stack, pss_kb); }

ByRole wakeups_of(const Stack& stack) { return by_role(stack, wakeups); }

unsigned threads_of(const Stack& stack) {
  return static_cast<unsigned>(by_role(stack, thread_count)[""]);
}

unsigned open_files_of(const Stack& stack) {
  return static_cast<unsigned>(by_role(stack, open_files)[""]);
}

unsigned redis_connections_of(const Stack& stack) {
  unsigned connections = 0;
  for (const std::string& address : stack.redises()) {
    const double clients = info_number(redis_info(address, "clients"), "connected_clients");
    if (clients > 0) connections += static_cast<unsigned>(clients) - 1;
  }
  return connections;
}

RedisCalls redis_calls_of(const Stack& stack) {
  RedisCalls all;
  for (const std::string& address : stack.redises()) {
    // cmdstat_evalsha:calls=12,usec=345,usec_per_call=28.75,…
    for (const std::string& line : split(redis_info(address, "commandstats"), '\n')) {
      if (!line.starts_with("cmdstat_")) continue;
      const std::string command = line.substr(8, line.find(':') - 8);
      all.calls[command] += std::atof(std::string(text_after(line, "calls=")).c_str());
      if (!command.starts_with("eval")) continue;
      all.scripts_us += std::atof(std::string(text_after(line, "usec=")).c_str());
    }
  }
  return all;
}

}  // namespace letterbox::bench
