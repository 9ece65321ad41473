// SPDX-License-Identifier: MIT
//
// The cases in which nothing is pushed: connect, idle, churn, rest, stream-idle.
#include <algorithm>

#include "cases.h"
#include "clock.h"
#include "cost.h"
#include "crowd.h"
#include "failure.h"
#include "usage.h"
#include "wait.h"

namespace letterbox::bench {
namespace {

constexpr unsigned kParked = 10'000;
constexpr double kWithin = 10;  // s, in which all connect
constexpr unsigned kChurnRounds = 10;
constexpr double kStill = 10;    // s, shorter than any timeout
constexpr double kTimeout = 50;  // s, of every poll
constexpr double kPings = 30;    // s, in which each stream is sent two
constexpr int64_t kLook = 500 * kMillisecond;

/// Lanes and allocators give memory back when it was unused for a while, so this waits until
/// the sum stops falling.
ByRole settled_pss(const Stack& stack) {
  const int64_t deadline = now_ns() + 60 * kSecond;
  ByRole pss = pss_kb_of(stack);
  for (unsigned unchanged = 0; unchanged < 16 && now_ns() < deadline;) {
    await([] { return false; }, now_ns() + kLook);
    const ByRole next = pss_kb_of(stack);
    unchanged = next.at("") < pss.at("") * 0.998 ? 0 : unchanged + 1;
    pss = next;
  }
  return pss;
}

/// Seconds until the servers have closed the connections of the clients that left.
double leave(Run& run, Crowd& crowd, unsigned files_before) {
  const int64_t begin = now_ns();
  crowd.leave();
  const unsigned slack = run.options.count(kParked) / 10;  // kept for the next ones
  await([&] { return open_files_of(run.stack) <= files_before + slack; }, begin + 10 * kSecond);
  return static_cast<double>(now_ns() - begin) / 1e9;
}

/// The memory of all processes, by role.
void write_memory(Run& run, const ByRole& before, double clients) {
  Values& values = run.sample.values;
  for (const auto& [role, kb] : pss_kb_of(run.stack)) {
    values[role.empty() ? "poll_kb" : "poll_kb." + role] = (kb - before.at(role)) / clients;
    values[role.empty() ? "pss_mb" : "pss_mb." + role] = kb / 1024;
  }
  values["threads"] = threads_of(run.stack);
  values["redis_connections"] = redis_connections_of(run.stack);
}

/// The share of a core, over that many seconds.
void write_percent(Run& run, Crowd& crowd, double seconds, const std::string& key) {
  const ByRole before = cpu_of(run.stack);
  crowd.loop().run(now_ns() + seconds_ns(seconds));
  for (const auto& [role, cpu] : cpu_of(run.stack)) {
    const std::string suffix = role.empty() ? "" : '.' + role;
    run.sample.values[key + suffix] = (cpu - before.at(role)) / seconds * 100;
  }
}

/// The memory of a crowd that waits; then `more` measures further.
template <class More>
void idle(Run& run, More more) {
  const unsigned clients = run.options.count(kParked);
  const ByRole before = settled_pss(run.stack);
  Crowd crowd(run, clients);
  crowd.park();
  write_memory(run, before, clients);
  more(crowd);
  crowd.settle();
}

}  // namespace

void run_connect(Run& run) {
  const double polls = run.options.count(kParked);
  Crowd crowd(run, run.options.count(kParked));
  const Spent before(run.stack);
  crowd.park(polls / kWithin);
  write_cost(run.sample.values, before, Spent(run.stack), polls);
  crowd.settle();
}

void run_idle(Run& run) {
  idle(run, [](Crowd&) {});
}

void run_stream_idle(Run& run) {
  idle(run, [&](Crowd& crowd) { write_percent(run, crowd, kPings, "pings_percent"); });
}

void run_churn(Run& run) {
  const unsigned files = open_files_of(run.stack);
  const ByRole before = settled_pss(run.stack);
  ByRole first;
  ByRole last;
  double parked = 0;  // in the first round, all
  Values& values = run.sample.values;
  for (unsigned round = 1; round <= kChurnRounds; ++round) {
    // The same users every time, so that their keys are in Redis from the first round on.
    Crowd crowd(run, run.options.count(kParked), static_cast<uint8_t>(round));
    crowd.park();
    crowd.settle();
    if (round == 1) parked = pss_kb_of(run.stack)[""];
    values["gone_s"] = std::max(values["gone_s"], leave(run, crowd, files));
    if (round == 1) first = settled_pss(run.stack);
    if (round == kChurnRounds) last = settled_pss(run.stack);
  }
  values["kept_percent"] = (last.at("") - before.at("")) / (parked - before.at("")) * 100;
  for (const auto& [role, kb] : last) {
    const std::string suffix = role.empty() ? "" : '.' + role;
    values["before_mb" + suffix] = before.at(role) / 1024;
    values["first_mb" + suffix] = first.at(role) / 1024;
    values["last_mb" + suffix] = kb / 1024;
    values["to_before" + suffix] = kb / before.at(role);
    values["to_first" + suffix] = kb / first.at(role);
  }
}

void run_rest(Run& run) {
  Crowd crowd(run, run.options.count(kParked));
  crowd.park();
  // All of them come within seconds, so the second window holds one timeout of each poll.
  write_percent(run, crowd, kStill, "still_percent");
  const uint64_t timeouts = crowd.audience().timeouts();
  write_percent(run, crowd, kTimeout, "rest_percent");
  run.sample.values["timeouts"] = static_cast<double>(crowd.audience().timeouts() - timeouts);
  crowd.settle();
}

}  // namespace letterbox::bench
