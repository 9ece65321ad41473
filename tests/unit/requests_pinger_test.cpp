// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>

#include "requests/pinger.h"
#include "tests/unit/fake_clock.h"

namespace letterbox::test {
namespace {

struct Counting final : Pinged {
  bool ping() override { return ++times < most; }
  int times = 0;
  int most = 1000;
};

struct Pinging {
  // Lets time pass and calls the timers that are due.
  void pass(uint64_t ms) {
    clock.pass(ms);
    Loop& its_loop = *loop;
    its_loop.at(clock.steady_ms(), [&] { its_loop.stop(); });
    its_loop.run();
  }

  FakeClock clock;
  std::unique_ptr<Loop> loop = std::make_unique<Loop>(clock);
  Pinger pinger{*loop, 1000};
};

TEST_CASE_FIXTURE(Pinging, "a stream in the line is called on when its time has passed") {
  const auto first = std::make_shared<Counting>();
  pinger.add(first);
  SUBCASE("not before") {
    pass(999);
    CHECK(first->times == 0);
  }
  SUBCASE("then, and it stays") {
    pass(1000);
    CHECK(first->times == 1);
    CHECK(pinger.size() == 1);
  }
}

TEST_CASE_FIXTURE(Pinging, "a stream that has ended, or has gone, leaves the line") {
  const auto ended = std::make_shared<Counting>();
  ended->most = 1;
  pinger.add(ended);
  pinger.add(std::make_shared<Counting>());
  CHECK(pinger.size() == 2);
  pass(1000);
  CHECK(ended->times == 1);
  CHECK(pinger.size() == 0);
}

}  // namespace
}  // namespace letterbox::test
