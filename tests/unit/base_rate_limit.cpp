// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/rate_limit.h"

namespace letterbox {
namespace {

constexpr uint64_t kSecond = 1'000'000;
constexpr uint64_t kStart = 77 * kSecond;

// How many of `tries` at one moment are allowed.
int taken(RateLimit& limit, int tries, uint64_t now_us) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += limit.take(now_us) == 0 ? 1 : 0;
  return count;
}

TEST_CASE("without a limit every try is allowed") {
  RateLimit none(0);
  CHECK(taken(none, 100'000, kStart) == 100'000);
}

TEST_CASE("a second's worth is allowed at once, and again a second later") {
  RateLimit limit(5);
  CHECK(taken(limit, 100, kStart) == 5);
  CHECK(taken(limit, 100, kStart + kSecond / 5 - 1) == 0);
  CHECK(taken(limit, 100, kStart + kSecond / 5) == 1);
  CHECK(taken(limit, 100, kStart + 3 * kSecond / 5) == 2);
  CHECK(taken(limit, 100, kStart + 1000 * kSecond) == 5);
}

TEST_CASE("a refusal says when the next try is allowed, neither earlier nor later") {
  for (const uint64_t rate : {1, 3, 7, 1000, 1'000'000}) {
    CAPTURE(rate);
    RateLimit limit(rate);
    while (limit.take(kStart) == 0) {
    }
    const uint64_t wait_ms = limit.take(kStart);
    CHECK(wait_ms == (kSecond / rate + 999) / 1000);
    CHECK(limit.take(kStart + wait_ms * 1000) == 0);
  }
}

TEST_CASE("over a long time the rate holds, however the tries are spread") {
  RateLimit limit(10);
  taken(limit, 10, kStart);
  int count = 0;
  for (uint64_t t = 0; t < 60 * kSecond; t += 3333) count += taken(limit, 2, kStart + t);
  CHECK(count >= 598);
  CHECK(count <= 600);
}

TEST_CASE("a thread whose time lags behind gains nothing by it") {
  RateLimit limit(2);
  CHECK(taken(limit, 9, kStart) == 2);
  CHECK(taken(limit, 9, kStart - kSecond) == 0);
  CHECK(taken(limit, 9, 0) == 0);
  CHECK(taken(limit, 9, kStart + kSecond / 2) == 1);
}

TEST_CASE("threads share one limit") {
  RateLimit limit(1000);
  std::atomic<int> count = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { count += taken(limit, 1000, kStart); });
  }
  for (auto& thread : threads) thread.join();
  CHECK(count == 1000);
}

}  // namespace
}  // namespace letterbox
