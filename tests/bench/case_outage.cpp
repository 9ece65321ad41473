// SPDX-License-Identifier: MIT
//
// outage: Redis crashes while a crowd is parked, is gone for a second, and reads its files again.
// Then the servers have to find out what they have missed.
#include "cases.h"
#include "clock.h"
#include "crowd.h"
#include "failure.h"
#include "pushers.h"
#include "redis_link.h"
#include "statistics.h"

namespace letterbox::bench {
namespace {

constexpr unsigned kParked = 10'000;
constexpr int64_t kGone = kSecond;
constexpr int64_t kPatience = 40 * kSecond;  // the crowd's polls time out at 50 s
constexpr int64_t kIdle = 2 * kSecond;
constexpr int64_t kLook = 500 * kMillisecond;
constexpr int64_t kBetweenProbes = 20 * kMillisecond;
constexpr unsigned kQuietLooks = 4;
constexpr double kQuiet = 0.002;  // of a core, more than while nothing happens
constexpr unsigned kPushes = 200;
constexpr double kPushesASecond = 100;

/// The processor time that a Redis has spent, and when it was read.
struct Reading {
  explicit Reading(RedisLink& redis) {
    const std::string info = redis.ask({"INFO", "cpu"});
    seconds = info_number(info, "used_cpu_user") + info_number(info, "used_cpu_sys");
  }
  int64_t at = now_ns();
  double seconds;
};

/// Of a core.
double rate(const Reading& begin, const Reading& end) {
  return (end.seconds - begin.seconds) * 1e9 / static_cast<double>(end.at - begin.at);
}

double idle_rate(Run& run, Crowd& crowd) {
  RedisLink redis(run.stack.redis());
  const Reading begin(redis);
  crowd.loop().run(begin.at + kIdle);
  return rate(begin, Reading(redis));
}

void await_redis(Run& run, Crowd& crowd) {
  const int64_t deadline = now_ns() + kPatience;
  while (!redis_answers(run.stack.redis())) {
    if (now_ns() >= deadline) throw Failure("redis did not come back");
    crowd.loop().run(now_ns() + kMillisecond);
  }
}

/// The servers have found Redis: a push is accepted, to a user of its own.
void await_push(Run& run, Crowd& crowd) {
  std::string request;
  run.stack.dialect().append_push(request, {run.prefix + "-probe", "is anybody there"});
  const int64_t deadline = now_ns() + kPatience;
  while (http_status(run.stack.port(), request, now_ns() + kLook) / 100 != 2) {
    if (now_ns() >= deadline) throw Failure("no push was accepted after the outage");
    crowd.loop().run(now_ns() + kBetweenProbes);
  }
}

/// Waits until Redis does as little again as before. Returns the last look before it was quiet.
Reading await_quiet(Crowd& crowd, RedisLink& redis, double idle) {
  const int64_t deadline = now_ns() + kPatience;
  Reading quiet_since(redis);
  Reading last = quiet_since;
  for (unsigned quiet = 0; quiet < kQuietLooks;) {
    if (now_ns() >= deadline) throw Failure("redis did not become quiet");
    crowd.loop().run(now_ns() + kLook);
    const Reading next(redis);
    quiet = rate(last, next) <= idle + kQuiet ? quiet + 1 : 0;
    if (quiet == 0) quiet_since = next;
    last = next;
  }
  return quiet_since;
}

/// All clients are there again: messages arrive at once.
void push_to_some(Run& run, Crowd& crowd) {
  PacedPushers pushers(crowd.peer(), run.stack.dialect(), crowd.ledger(), kPushesASecond);
  crowd.ledger().begin_window();
  pushers.start();
  crowd.loop().run_until(now_ns() + kPatience,
                         [&] { return crowd.ledger().pushed() >= run.options.count(kPushes); });
  pushers.stop();
  crowd.loop().run_until(now_ns() + kPatience, [&] { return pushers.quiet(); });
  crowd.ledger().end_window();
  crowd.settle();
}

}  // namespace

void run_outage(Run& run) {
  Crowd crowd(run, run.options.count(kParked));
  crowd.park();
  const double idle = idle_rate(run, crowd);
  run.stack.crash_redis();
  crowd.loop().run(now_ns() + kGone);
  run.stack.revive_redis();
  await_redis(run, crowd);
  RedisLink redis(run.stack.redis());
  const Reading back(redis);
  await_push(run, crowd);
  const double found = static_cast<double>(now_ns() - back.at) / 1e9;
  const Reading quiet = await_quiet(crowd, redis, idle);
  run.stack.finish_revival();
  push_to_some(run, crowd);
  const double took = static_cast<double>(quiet.at - back.at) / 1e9;
  Values& values = run.sample.values;
  values["redis_s"] = quiet.seconds - back.seconds - idle * took;
  values["start_s"] = back.seconds;
  values["found_s"] = found;
  values["quiet_s"] = took;
  values["p99_us"] = percentile(crowd.ledger().latencies(), 0.99) / 1e3;
}

}  // namespace letterbox::bench
