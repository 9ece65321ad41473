// SPDX-License-Identifier: MIT
#include "cost.h"

#include "process.h"

namespace letterbox::bench {
namespace {

void write_parts(Values& values, const std::string& key, const ByRole& begin, const ByRole& end,
                 double messages) {
  for (const auto& [role, value] : end) {
    std::string name = key;
    if (!role.empty()) name.append(".").append(role);
    values[name] = (value - begin.at(role)) / messages;
  }
}

/// Zero for a command that was not called yet.
double count_of(const std::map<std::string, double>& counts, const std::string& name) {
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

Spent::Spent(const Stack& stack)
    : cpu(cpu_of(stack)),
      wakeups(wakeups_of(stack)),
      redis(redis_calls_of(stack)),
      own(own_cpu_seconds()) {}

void write_cpu(Values& values, const std::string& key, const ByRole& begin, const ByRole& end,
               double messages) {
  write_parts(values, key, begin, end, messages / 1e6);
}

void write_cost(Values& values, const Spent& begin, const Spent& end, double messages) {
  write_cpu(values, "cpu_us", begin.cpu, end.cpu, messages);
  write_parts(values, "wakeups", begin.wakeups, end.wakeups, messages);
  values["own_us"] = (end.own - begin.own) * 1e6 / messages;
  if (end.redis.calls.empty()) return;  // it has no Redis
  double sum = 0;
  for (const auto& [command, calls] : end.redis.calls) {
    const double made = (calls - count_of(begin.redis.calls, command)) / messages;
    if (made == 0) continue;
    values["redis_calls." + command] = made;
    sum += made;
  }
  values["redis_calls"] = sum;
  values["redis_scripts_us"] = (end.redis.scripts_us - begin.redis.scripts_us) / messages;
}

}  // namespace letterbox::bench
