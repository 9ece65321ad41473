// SPDX-License-Identifier: MIT
//
// Which entry is due first, of all kinds and of one.
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <utility>

#include "tests/unit/fake_waiting.h"
#include "waiting/schedule.h"

namespace letterbox::test {
namespace {

using Kind = Schedule::Kind;

struct Scheduled : FakeWaiting {
  std::shared_ptr<Poll> add(Kind kind, uint64_t due_ms) {
    auto one = make_poll();
    schedule.add(one->place, due_ms, kind, one);
    return one;
  }

  Schedule schedule;
};

TEST_CASE_FIXTURE(Scheduled, "entries that are due are told earliest first, whatever their kind") {
  CHECK(schedule.next_due() == std::nullopt);
  CHECK(schedule.due(1000) == nullptr);
  const auto third = add(Kind::deadline, 30);
  const auto first = add(Kind::slowed, 10);
  const auto second = add(Kind::deadline, 20);
  CHECK(schedule.due(9) == nullptr);
  for (const auto& [poll, due_ms] : {std::pair(first, 10), {second, 20}, {third, 30}}) {
    CHECK(schedule.next_due() == due_ms);
    REQUIRE(schedule.due(30) != nullptr);
    CHECK(schedule.due(30)->poll == poll);
    schedule.remove(poll->place);
  }
  CHECK(schedule.due(1000) == nullptr);
}

TEST_CASE_FIXTURE(Scheduled, "a kind's earliest entry is told, and how many there are") {
  add(Kind::late, 5);
  const auto later = add(Kind::deadline, 30);
  const auto sooner = add(Kind::deadline, 20);
  CHECK(schedule.count(Kind::deadline) == 2);
  REQUIRE(schedule.first(Kind::deadline) != nullptr);
  CHECK(schedule.first(Kind::deadline)->poll == sooner);
  CHECK(schedule.first(Kind::rest) == nullptr);
}

TEST_CASE_FIXTURE(Scheduled, "entries due at once come in the order in which they were added") {
  const auto first = add(Kind::turn, 20);
  add(Kind::turn, 20);
  CHECK(schedule.due(20)->poll == first);
}

TEST_CASE_FIXTURE(Scheduled, "a poll that only the schedule keeps goes with its entry") {
  std::weak_ptr<Poll> gone = add(Kind::turn, 20);
  REQUIRE_FALSE(gone.expired());
  schedule.remove(gone.lock()->place);
  CHECK(gone.expired());
  CHECK(schedule.count(Kind::turn) == 0);
}

TEST_CASE_FIXTURE(Scheduled, "a poll without an entry may be removed") {
  Schedule::Place nowhere;
  schedule.remove(nowhere);
  CHECK(schedule.next_due() == std::nullopt);
}

}  // namespace
}  // namespace letterbox::test
