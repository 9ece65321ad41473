// SPDX-License-Identifier: MIT
#include "targets.h"

#include "text.h"

namespace letterbox::bench {
namespace {

struct Rule {
  const char* case_name;
  const char* key;
  const char* text;
  Figure base;  // kAlone: the figure by itself, and not its ratio to another
  bool at_least;
  double limit;
  const char* unit;
};

const Figure kAlone{};

Figure of_nchan_redis(const char* case_name, const char* key) {
  return {case_name, kNchanRedis, key};
}

const std::vector<Rule>& rules() {
  static const std::vector<Rule> table{
      {"closed", "rate", "messages a second ÷ nchan-redis", of_nchan_redis("closed", "rate"), true,
       1.6, "×"},
      {"closed", "cpu_us", "CPU a message ÷ nchan-redis", of_nchan_redis("closed", "cpu_us"), false,
       0.65, "×"},
      {"closed", "cpu_us", "CPU a message ÷ floor", {"floor", kFloor, "floor_us"}, false, 1.5, "×"},
      {"paced", "p50_us", "p50 ÷ nchan-redis", of_nchan_redis("paced", "p50_us"), false, 0.7, "×"},
      {"paced", "p99_us", "p99 ÷ nchan-redis", of_nchan_redis("paced", "p99_us"), false, 0.7, "×"},
      {"crowd", "p50_us", "p50 ÷ nchan-redis", of_nchan_redis("crowd", "p50_us"), false, 0.7, "×"},
      {"crowd", "p99_us", "p99 ÷ nchan-redis", of_nchan_redis("crowd", "p99_us"), false, 0.8, "×"},
      {"crowd", "wrong", "messages that were not right", kAlone, false, 0, ""},
      {"crowd", "threads", "threads of all processes", kAlone, false, 400, ""},
      {"crowd", "redis_connections", "Redis connections", kAlone, false, 400, ""},
      {"growth", "growth.redis", "Redis' CPU a message with 10,000 ÷ with 100", kAlone, false, 1.25,
       "×"},
      {"growth", "growth", "CPU a message with 10,000 ÷ with 100", kAlone, false, 1.3, "×"},
      {"broadcast", "cpu_us", "CPU a recipient ÷ nchan-redis",
       of_nchan_redis("broadcast", "cpu_us"), false, 3.0, "×"},
      {"broadcast", "last_ms", "time to the last ÷ nchan-redis",
       of_nchan_redis("broadcast", "last_ms"), false, 2.5, "×"},
      {"burst", "pushed_rate", "messages pushed a second ÷ nchan-redis",
       of_nchan_redis("burst", "pushed_rate"), true, 6.0, "×"},
      {"connect", "cpu_us", "CPU a poll ÷ nchan-redis", of_nchan_redis("connect", "cpu_us"), false,
       1.5, "×"},
      {"idle", "poll_kb", "a parked poll in all processes", kAlone, false, 12, "KB"},
      {"outage", "redis_s", "Redis' CPU until all is quiet", kAlone, false, 0.05, "s"},
      {"churn", "to_first", "memory after ten rounds ÷ after the first", kAlone, false, 1.1, "×"},
      {"churn", "kept_percent", "of what a crowd took, not back", kAlone, false, 10, "%"},
      {"stream-closed", "rate", "messages a second ÷ nchan-redis",
       of_nchan_redis("stream-closed", "rate"), true, 2.0, "×"},
      {"stream-closed", "cpu_us", "CPU a message ÷ nchan-redis",
       of_nchan_redis("stream-closed", "cpu_us"), false, 0.55, "×"},
      {"stream-paced", "p50_us", "p50 ÷ nchan-redis", of_nchan_redis("stream-paced", "p50_us"),
       false, 0.8, "×"},
      {"stream-paced", "p99_us", "p99 ÷ nchan-redis", of_nchan_redis("stream-paced", "p99_us"),
       false, 0.7, "×"},
      {"stream-broadcast", "cpu_us", "CPU a recipient ÷ nchan-redis",
       of_nchan_redis("stream-broadcast", "cpu_us"), false, 1.5, "×"},
      {"stream-broadcast", "last_ms", "time to the last ÷ nchan-redis",
       of_nchan_redis("stream-broadcast", "last_ms"), false, 1.5, "×"},
      {"stream-idle", "poll_kb", "an idle stream in all processes", kAlone, false, 12, "KB"},
      {"stream-idle", "pings_percent", "of a core, with pings every 15 s", kAlone, false, 2, "%"},
      {"rest", "rest_percent", "of a core, with each poll timing out once", kAlone, false, 2, "%"},
  };
  return table;
}

std::string limit_text(const Rule& rule) {
  const std::string_view unit = rule.unit;
  if (unit.empty()) return grouped(rule.limit);
  return rounded(rule.limit) + ' ' + rule.unit;
}

}  // namespace

std::vector<Target> judge(const Results& results) {
  std::vector<Target> targets;
  for (const Rule& rule : rules()) {
    const Figure figure{rule.case_name, kLetterbox, rule.key};
    Target target;
    target.text = rule.text;
    target.case_name = rule.case_name;
    target.limit = std::string(rule.at_least ? "at least " : "at most ") + limit_text(rule);
    target.value =
        rule.base.stack.empty() ? results.median(figure) : results.ratio(figure, rule.base);
    target.met =
        target.value && (rule.at_least ? *target.value >= rule.limit : *target.value <= rule.limit);
    targets.push_back(std::move(target));
  }
  return targets;
}

}  // namespace letterbox::bench
