// SPDX-License-Identifier: MIT
#include "metrics.h"

namespace letterbox::bench {
namespace {

const std::vector<Metric>& metrics_of_polls() {
  static const std::vector<Metric> metrics{
      {"closed", "rate", "messages a second"},
      {"closed", "cpu_us", "CPU a message, µs"},
      {"closed", "p50_us", "push to client, p50, µs"},
      {"closed", "p99_us", "push to client, p99, µs"},
      {"closed", "wakeups", "wake-ups a message"},
      {"closed", "redis_calls", "Redis commands a message"},
      {"closed", "redis_calls.evalsha", "scripts a message"},
      {"closed", "own_us", "the generator's CPU, µs"},
      {"flood", "rate", "messages a second"},
      {"flood", "cpu_us", "CPU a message, µs"},
      {"flood", "p50_us", "push to client, p50, µs"},
      {"flood", "p99_us", "push to client, p99, µs"},
      {"flood", "wakeups", "wake-ups a message"},
      {"flood", "redis_calls", "Redis commands a message"},
      {"flood", "redis_calls.evalsha", "scripts a message"},
      {"flood", "own_us", "the generator's CPU, µs"},
      {"paced", "rate", "messages a second"},
      {"paced", "p50_us", "push to client, p50, µs"},
      {"paced", "p99_us", "push to client, p99, µs"},
      {"paced", "cpu_us", "CPU a message, µs"},
      {"paced", "wakeups", "wake-ups a message"},
      {"paced", "redis_calls", "Redis commands a message"},
      {"paced", "redis_calls.evalsha", "scripts a message"},
      {"paced", "behind_ms", "most behind the pace, ms"},
      {"crowd", "rate", "messages a second"},
      {"crowd", "p50_us", "push to client, p50, µs"},
      {"crowd", "p99_us", "push to client, p99, µs"},
      {"crowd", "cpu_us", "CPU a message, µs"},
      {"crowd", "threads", "threads"},
      {"crowd", "redis_connections", "Redis connections"},
      {"crowd", "behind_ms", "most behind the pace, ms"},
      {"packed", "rate", "messages a second"},
      {"packed", "p50_us", "push to client, p50, µs"},
      {"packed", "p99_us", "push to client, p99, µs"},
      {"packed", "cpu_us", "CPU a message, µs"},
      {"packed", "behind_ms", "most behind the pace, ms"},
      {"growth", "few_us", "CPU a message, 100 parked, µs"},
      {"growth", "many_us", "CPU a message, 10,000 parked, µs"},
      {"growth", "growth", "many ÷ few"},
      {"connect", "cpu_us", "CPU a poll, µs"},
      {"connect", "own_us", "the generator's CPU, µs"},
      {"idle", "poll_kb", "PSS a waiting client, KB"},
      {"idle", "pss_mb", "PSS of all, MB"},
      {"idle", "threads", "threads"},
      {"idle", "redis_connections", "Redis connections"},
      {"outage", "redis_s", "Redis' CPU until all is quiet, s"},
      {"outage", "found_s", "until a push is accepted, s"},
      {"outage", "quiet_s", "until all is quiet, s"},
      {"outage", "start_s", "and Redis reads its files, s"},
      {"outage", "p99_us", "push to poll afterwards, p99, µs"},
      {"churn", "before_mb", "PSS before, MB"},
      {"churn", "first_mb", "PSS after round 1, all gone, MB"},
      {"churn", "last_mb", "PSS after round 10, all gone, MB"},
      {"churn", "to_before", "after round 10 ÷ before"},
      {"churn", "to_first", "after round 10 ÷ after round 1"},
      {"churn", "kept_percent", "of what a crowd took, not back, %"},
      {"churn", "gone_s", "until all connections closed, s"},
      {"rest", "still_percent", "CPU while nothing happens, %"},
      {"rest", "rest_percent", "CPU while each times out once, %"},
      {"rest", "timeouts", "polls that timed out"},
      {"burst", "pushed_rate", "messages pushed a second"},
      {"burst", "pushed_us", "CPU a message pushed, µs"},
      {"burst", "fetched_rate", "messages fetched a second"},
      {"burst", "fetched_us", "CPU a message fetched, µs"},
      {"broadcast", "last_ms", "push to the last client, ms"},
      {"broadcast", "p50_us", "push to client, p50, µs"},
      {"broadcast", "p99_us", "push to client, p99, µs"},
      {"broadcast", "cpu_us", "CPU a message delivered, µs"},
      {"broadcast", "wakeups", "wake-ups a message"},
      {"broadcast", "redis_calls", "Redis commands a message"},
      {"broadcast", "redis_calls.evalsha", "scripts a message"},
      {"broadcast", "own_us", "the generator's CPU, µs"},
      {"floor", "floor_us", "CPU a message, µs"},
      {"floor", "requests_us", "nginx and libfcgi, twice"},
      {"floor", "redis_us", "RPUSH and BLPOP in Redis"},
      {"floor", "clients_us", "their round trips, clients' side"},
  };
  return metrics;
}

/// A case of streams shows all figures of the case of polls whose name is in its own, and more.
std::vector<Metric> with_streams() {
  std::vector<Metric> metrics = metrics_of_polls();
  for (const Metric& metric : metrics_of_polls()) {
    metrics.push_back({"stream-" + metric.case_name, metric.key, metric.title});
  }
  metrics.push_back({"stream-closed", "timeouts", "streams that ended and came back"});
  metrics.push_back({"stream-paced", "timeouts", "streams that ended and came back"});
  metrics.push_back({"stream-idle", "pings_percent", "CPU with pings every 15 s, %"});
  return metrics;
}

}  // namespace

const std::vector<Metric>& shown_metrics() {
  static const std::vector<Metric> metrics = with_streams();
  return metrics;
}

}  // namespace letterbox::bench
