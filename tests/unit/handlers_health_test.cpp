// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "handlers/health.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_reply_to.h"

namespace letterbox::test {
namespace {

// Two workers. Their loops turn when the test lets them; the write to Redis ends as the test likes.
struct Health {
  FakeClock clock;
  Loop asked{clock};
  Loop other{clock};
  std::atomic<bool> ending{false};
  std::vector<WriteProbe::Then> writes;
  FakePeer peer;
  HealthHandler handler{asked,
                        {&asked, &other},
                        [this](WriteProbe::Then then) { writes.push_back(std::move(then)); },
                        ending,
                        "letterbox-test"};

  // Does what was posted, and what follows from it; `late` is called before the loop's last turn.
  // Once a test for each loop: a loop that was stopped stays so.
  static void turn(
      Loop& loop, const std::function<void()>& late = [] {}) {
    loop.post([&] {
      loop.post([&] {
        late();
        loop.post([&] { loop.stop(); });
      });
    });
    loop.run();
  }
};

TEST_CASE_FIXTURE(Health, "a program is healthy if every worker's loop turns") {
  handler.healthz(peer.owed());
  turn(other);
  CHECK_FALSE(peer.answered());
  turn(asked);
  CHECK(peer.answer().status() == 200);
  CHECK(peer.answer().body == "{\"status\":\"ok\",\"program\":\"letterbox-test\"}\n");
}

TEST_CASE_FIXTURE(Health, "a program is unhealthy if a worker hangs for a second") {
  handler.healthz(peer.owed());
  uint64_t waited = 1000;
  SUBCASE("not yet") { waited = 999; }
  SUBCASE("a second") {}
  turn(asked, [this, waited] { clock.pass(waited); });
  CHECK(peer.answered() == (waited == 1000));
  if (!peer.answered()) return;
  CHECK(peer.answer().status() == 503);
  CHECK(peer.answer().header("Retry-After") == "1");
  CHECK(field(peer.answer().body, "code") == "unhealthy");
  CHECK(field(peer.answer().body, "message") ==
        "1 of 2 workers have given no sign of life for a second");
}

TEST_CASE_FIXTURE(Health, "a program is ready once a write has gone through") {
  handler.readyz(peer.owed());
  CHECK_FALSE(peer.answered());
  REQUIRE(writes.size() == 1);
  writes.front()("");
  CHECK(peer.answer().status() == 200);
  CHECK(peer.answer().body == "{\"status\":\"ready\",\"program\":\"letterbox-test\"}\n");
}

TEST_CASE_FIXTURE(Health, "a program is not ready if a write fails, and says why") {
  handler.readyz(peer.owed());
  REQUIRE(writes.size() == 1);
  writes.front()("Redis is away: Connection refused");
  CHECK(peer.answer().status() == 503);
  CHECK(peer.answer().header("Retry-After") == "1");
  CHECK(field(peer.answer().body, "code") == "not_ready");
  CHECK(field(peer.answer().body, "message") == "Redis is away: Connection refused");
  CHECK(field(peer.answer().body, "terminal") == "false");
  CHECK(field(peer.answer().body, "retry_after_ms") == "1000");
}

TEST_CASE_FIXTURE(Health, "a program that is ending is not ready, whatever Redis would say") {
  ending = true;
  handler.readyz(peer.owed());
  CHECK(writes.empty());
  CHECK(peer.answer().status() == 503);
  CHECK(field(peer.answer().body, "code") == "not_ready");
  CHECK(field(peer.answer().body, "message") == "the program is ending");
}

}  // namespace
}  // namespace letterbox::test
