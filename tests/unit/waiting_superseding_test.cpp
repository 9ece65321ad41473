// SPDX-License-Identifier: MIT
//
// A newer poll of the same user and client takes the older one's place.
#include <doctest/doctest.h>

#include "tests/unit/fake_waiting.h"

namespace letterbox::test {
namespace {

TEST_CASE_FIXTURE(FakeWaiting, "a poll parked for a second is superseded at once") {
  const auto older = park(with_cursor(id(4)));
  clock.pass(1000);
  const auto newer = enter(with_cursor(id(4)));
  CHECK(reason_of(older) == "superseded");
  CHECK(field(answer_of(older), "cursor") == id(4).text());
  CHECK(retry_of(older) == 0);
  CHECK(room.size() == 1);
  rung(ring(id(5)));
  CHECK(reason_of(newer) == "messages");
}

TEST_CASE_FIXTURE(FakeWaiting, "the newer poll keeps its place for as long as it waits") {
  park(with_cursor(id(4)));
  clock.pass(1000);
  const auto newer = enter(with_cursor(id(4)));
  store.notes.clear();
  tick_after(500);
  CHECK(store.notes.empty());
  tick_after(20'000);
  CHECK(bells.watches("alice"));
  rung(ring(id(5)));
  CHECK(reason_of(newer) == "messages");
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll superseded within a second of parking is answered late") {
  const auto older = park(with_cursor(id(4)));
  clock.pass(400);
  const auto newer = enter(with_cursor(id(4)));
  CHECK(older->count() == 0);
  CHECK(tick_after(0) == 600);
  tick_after(599);
  CHECK(older->count() == 0);
  tick_after(1);
  CHECK(reason_of(older) == "superseded");
  CHECK(retry_of(older) >= 1000);
  CHECK(retry_of(older) < 2000);
  CHECK(newer->count() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "the ticker is woken for a late answer") {
  park(with_cursor(id(4)));
  room.tick(desk);
  const size_t before = wakes;
  enter(with_cursor(id(4)));
  CHECK(wakes == before + 1);
}

TEST_CASE_FIXTURE(
    FakeWaiting,
    "each late answer comes when it is due, in whatever order the polls were superseded") {
  const auto first = park(with_cursor(id(4), "first"));
  clock.pass(500);
  const auto second = park(with_cursor(id(4), "second"));
  enter(with_cursor(id(4), "second"));
  clock.pass(400);
  enter(with_cursor(id(4), "first"));
  tick_after(500);
  CHECK(reason_of(first) == "superseded");
  CHECK(second->count() == 0);
  tick_after(500);
  CHECK(reason_of(second) == "superseded");
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a message goes to the newer poll, not to the one that is answered late") {
  const auto older = park(with_cursor(id(4)));
  const auto newer = enter(with_cursor(id(4)));
  rung(ring(id(5)));
  CHECK(field(answer_of(newer), "messages") == message(id(5)));
  tick_after(1000);
  CHECK(reason_of(older) == "superseded");
  CHECK(field(answer_of(older), "messages") == "");
  CHECK(field(answer_of(older), "cursor") == id(4).text());
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll superseded during its read keeps what was read") {
  const auto older = enter(without_cursor());
  const auto newer = enter(without_cursor());
  answer_read(one(id(5)));
  CHECK(reason_of(older) == "messages");
  CHECK(field(answer_of(older), "messages") == message(id(5)));
  answer_read(nothing_after(id(5)));
  CHECK(newer->count() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll superseded during its read is not parked") {
  const auto older = enter(with_cursor(id(4)));
  const auto newer = enter(with_cursor(id(4)));
  answer_read(nothing_after(id(4)));
  CHECK(reason_of(older) == "superseded");
  answer_read(nothing_after(id(4)));
  CHECK(newer->count() == 0);
  CHECK(room.size() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a superseded poll is refused if its read fails, also one that was parked") {
  const auto older = park(with_cursor(id(4)));
  rung(bell());
  const auto newer = enter(with_cursor(id(4)));
  answer_read(away());
  CHECK(older->refusals.size() == 1);
  answer_read(nothing_after(id(4)));
  CHECK(newer->count() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "a superseded client that goes is forgotten, the newer poll stays") {
  const auto older = park(with_cursor(id(4)));
  std::shared_ptr<Heard> newer;
  SUBCASE("while its answer is held back") { newer = enter(with_cursor(id(4))); }
  SUBCASE("during its read") {
    rung(bell());
    newer = enter(with_cursor(id(4)));
    answer_read(nothing_after(id(4)));
  }
  store.notes.clear();
  older->leave();
  tick_after(1000);
  while (!store.reads.empty()) answer_read(nothing_after(id(4)));
  CHECK(store.notes.empty());
  CHECK(bells.watches("alice"));
  CHECK(newer->count() == 0);
  CHECK(room.size() == 1);
  CHECK(room.ended(Reason::gone) + room.ended(Reason::superseded) == 1);
}

TEST_CASE_FIXTURE(FakeWaiting, "another client of the same user is not superseded") {
  const auto tab = park(with_cursor(id(4), "tab"));
  clock.pass(2000);
  enter(with_cursor(id(4), "phone"));
  enter(with_cursor(id(4), ""));
  CHECK(tab->count() == 0);
  CHECK(room.size() == 3);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "two clients that share a name take turns no faster than once a second") {
  const uint64_t begin = clock.steady_ms();
  auto waiting = park(with_cursor(id(4)));
  constexpr int kTurns = 10;
  for (int turn = 0; turn < kTurns; ++turn) {
    auto next = enter(with_cursor(id(4)));
    while (waiting->count() == 0) tick_after(50);
    CHECK(reason_of(waiting) == "superseded");
    clock.pass(retry_of(waiting));  // the loser comes back as it was told
    waiting = std::move(next);
  }
  CHECK(clock.steady_ms() - begin >= kTurns / 2 * 1000);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a hundred newer polls at once leave one waiting and lose no answer") {
  std::vector<std::shared_ptr<Heard>> all;
  all.push_back(park(with_cursor(id(4))));
  for (int i = 0; i < 100; ++i) all.push_back(enter(with_cursor(id(4))));
  CHECK(room.size() == 101);
  tick_after(1000);
  for (size_t i = 0; i + 1 < all.size(); ++i) CHECK(reason_of(all[i]) == "superseded");
  CHECK(all.back()->count() == 0);
  CHECK(room.size() == 1);
}

}  // namespace
}  // namespace letterbox::test
