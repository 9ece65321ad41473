// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "mailbox/scheduler.h"
#include "model/scheduled_id.h"
#include "tests/unit/fake_calendar.h"
#include "tests/unit/fake_presence.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/loop_thread.h"

namespace letterbox::test {
namespace {

struct Scheduling {
  LoopThread life;
  FakeCalendar calendar;
  FakeStore store;
  Scheduler scheduler{life.loop, calendar, store};

  Scheduling() {
    life.on_loop([this] { scheduler.start(); });
  }
  ~Scheduling() { life.halt(); }
  Scheduling(const Scheduling&) = delete;
  Scheduling& operator=(const Scheduling&) = delete;

  uint64_t now() const { return life.clock.wall_ms(); }
  // A message of `user` that was due so long ago.
  Calendar::Due due(const std::string& user, uint64_t ms_ago = 0, std::string collapse = "") const {
    const uint64_t at = now() - ms_ago;
    return {ScheduledId{user, at, 7}.text(), at,
            ScheduledMessage{"0 {\"n\":1}", std::move(collapse)}};
  }
  Calendar::Due missing(const std::string& user, uint64_t ms_ago) const {
    auto missing = due(user, ms_ago);
    missing.message.reset();
    return missing;
  }

  void found(Or<Calendar::Look> look) {
    REQUIRE(calendar.looks.size() == 1);
    life.on_loop([&] { answer_oldest(calendar.looks, std::move(look)); });
  }
  void found_due(std::vector<Calendar::Due> due) {
    Calendar::Look look;
    look.waiting = due.size();
    look.due = std::move(due);
    found(std::move(look));
  }
  void pushed(const Or<Pushed>& outcome) {
    REQUIRE_FALSE(store.pushes.empty());
    life.on_loop([&] { answer_oldest(store.pushes, outcome); });
  }
  void settled(Or<bool> with = true) {
    REQUIRE(calendar.settlings.size() == 1);
    life.on_loop([&] { answer_oldest(calendar.settlings, std::move(with)); });
  }
  bool looks_within(uint64_t ms) {
    life.pass(ms);
    return !calendar.looks.empty();
  }
  const FakeCalendar::Settling& settling() {
    REQUIRE(calendar.settlings.size() == 1);
    return calendar.settlings.front();
  }
};

const Pushed kPushed{{5, 1}, 1, false};

TEST_CASE_FIXTURE(Scheduling, "if nothing is due there is one look each quarter of a second") {
  for (int i = 0; i < 3; ++i) {
    found(Calendar::Look{.waiting = 3});
    CHECK_FALSE(looks_within(249));
    CHECK(looks_within(1));
  }
  CHECK(scheduler.figures().waiting.value() == 3);
  CHECK(calendar.settlings.empty());
}

TEST_CASE_FIXTURE(Scheduling, "the next look is when the next message is due") {
  found(Calendar::Look{.next_ms = now() + 40});
  CHECK_FALSE(looks_within(39));
  CHECK(looks_within(1));
}

TEST_CASE_FIXTURE(Scheduling, "if the store is away there is another look a quarter later") {
  found(away());
  CHECK_FALSE(looks_within(249));
  CHECK(looks_within(1));
}

TEST_CASE_FIXTURE(Scheduling,
                  "what is due is pushed as it was scheduled, and leaves the calendar") {
  const auto message = due("alice", 0, "score");
  found_due({message});
  REQUIRE(store.pushes.size() == 1);
  CHECK(store.pushes[0].user == "alice");
  CHECK(store.pushes[0].element == "0 {\"n\":1}");
  CHECK(store.pushes[0].options.scheduled == message.id);
  CHECK(store.pushes[0].options.collapse == "score");
  CHECK(store.pushes[0].options.record.empty());
  CHECK(calendar.settlings.empty());
  pushed(kPushed);
  CHECK(settling().gone == std::vector{message.id});
  CHECK(settling().postponed.empty());
  CHECK(scheduler.figures().pushed.value() == 1);
  CHECK(scheduler.figures().late.value() == 0);
  settled();
  CHECK_FALSE(looks_within(249));
  CHECK(looks_within(1));
}

TEST_CASE_FIXTURE(Scheduling,
                  "messages that are due are all under way at once, the earliest first") {
  found_due({due("alice", 3), due("bob", 2), due("alice", 1)});
  REQUIRE(store.pushes.size() == 3);
  CHECK(store.pushes[0].user == "alice");
  CHECK(store.pushes[1].user == "bob");
  for (int i = 0; i < 3; ++i) pushed(kPushed);
  CHECK(settling().gone.size() == 3);
}

TEST_CASE_FIXTURE(Scheduling, "if more is due than one look shows, there is no pause") {
  found(Calendar::Look{.due = {due("alice")}, .more = true});
  pushed(kPushed);
  settled();
  CHECK(looks_within(0));
}

TEST_CASE_FIXTURE(
    Scheduling,
    "a message that another program has pushed leaves the calendar, and does not count") {
  found_due({due("alice")});
  pushed(Pushed{});
  CHECK(settling().gone.size() == 1);
  CHECK(scheduler.figures().pushed.value() == 0);
}

TEST_CASE_FIXTURE(Scheduling, "a message pushed more than a second after its time is late") {
  found_due({due("alice", 1001), due("bob", 1000)});
  pushed(kPushed);
  pushed(kPushed);
  CHECK(scheduler.figures().pushed.value() == 2);
  CHECK(scheduler.figures().late.value() == 1);
}

TEST_CASE_FIXTURE(
    Scheduling,
    "a message that the store did not take stays in the calendar, and is tried again soon") {
  found(Calendar::Look{.due = {due("alice"), due("bob")}, .more = true});
  pushed(away());
  pushed(kPushed);
  CHECK(settling().gone == std::vector{due("bob").id});
  CHECK(settling().postponed.empty());
  settled();
  CHECK_FALSE(looks_within(249));
  CHECK(looks_within(1));
}

TEST_CASE_FIXTURE(
    Scheduling,
    "a message whose mailbox is broken is tried after longer and longer, a minute at most") {
  for (const auto& [ago, pause] :
       {std::pair{0, 100}, {99, 100}, {5'000, 5'000}, {60'000, 60'000}, {900'000, 60'000}}) {
    found_due({due("alice", static_cast<uint64_t>(ago))});
    pushed(broken_data("base"));
    CHECK(settling().gone.empty());
    REQUIRE(settling().postponed.size() == 1);
    CHECK(settling().postponed[0].until_ms == now() + static_cast<uint64_t>(pause));
    settled();
    CHECK(looks_within(250));
  }
}

TEST_CASE_FIXTURE(Scheduling,
                  "an id without a message is looked at for a minute, and then removed") {
  found_due({missing("alice", 0), missing("bob", 60'000), missing("carol", 60'001)});
  CHECK(store.pushes.empty());
  REQUIRE(settling().postponed.size() == 2);
  CHECK(settling().postponed[0].until_ms == now() + 100);
  CHECK(settling().postponed[1].until_ms == now() + 60'000);
  CHECK(settling().gone == std::vector{due("carol", 60'001).id});
}

TEST_CASE_FIXTURE(Scheduling, "if the calendar could not be settled, there is a pause") {
  found(Calendar::Look{.due = {due("alice")}, .more = true});
  pushed(kPushed);
  settled(away());
  CHECK_FALSE(looks_within(249));
  CHECK(looks_within(1));
}

}  // namespace
}  // namespace letterbox::test
