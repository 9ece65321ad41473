// SPDX-License-Identifier: MIT
#include "crowd.h"

#include <algorithm>

#include "clock.h"
#include "failure.h"
#include "usage.h"

namespace letterbox::bench {
namespace {

constexpr int64_t kPatience = 60 * kSecond;
constexpr int64_t kPatienceWithLosers = 3 * kSecond;
constexpr int64_t kLook = 200 * kMillisecond;
constexpr double kRest = 0.1;  // of a core
constexpr int64_t kLinger = 200 * kMillisecond;

}  // namespace

Crowd::Crowd(Run& run, unsigned clients, uint8_t source)
    : run_(run),
      peer_(loop_, run.stack.port()),
      ledger_(run.prefix, clients),
      audience_(peer_, run.dialect, ledger_, source) {}

void Crowd::park(double arrivals_a_second) {
  const int64_t deadline = now_ns() + kPatience;
  audience_.come(arrivals_a_second);
  if (!loop_.run_until(deadline, [this] { return audience_.here(); })) {
    throw Failure("the clients could not all connect");
  }
  rest();
}

void Crowd::rest() {
  const int64_t deadline = now_ns() + kPatience;
  // HTTP does not tell when a poll is parked; servers that are idle have parked it.
  for (double before = cpu_of(run_.stack)[""];;) {
    loop_.run(now_ns() + kLook);
    const double after = cpu_of(run_.stack)[""];
    if ((after - before) * 1e9 / static_cast<double>(kLook) <= kRest) return;
    if (now_ns() >= deadline) throw Failure("the servers did not come to rest");
    before = after;
  }
}

bool Crowd::await_arrivals() {
  const int64_t begin = now_ns();
  const bool keeps = run_.dialect.keeps_between_polls();
  while (now_ns() < begin + kPatience) {
    if (loop_.run_until(now_ns() + kLook, [this] { return ledger_.complete(); })) return true;
    const int64_t last = std::max(begin, ledger_.last_arrival());
    if (!keeps && now_ns() - last > kPatienceWithLosers) return true;
  }
  return false;
}

void Crowd::settle() {
  await_arrivals();
  loop_.run(now_ns() + kLinger);
  run_.sample.verdict.add(ledger_.verdict());
  if (run_.sample.trouble.empty()) run_.sample.trouble = ledger_.first_refusal();
}

}  // namespace letterbox::bench
