// SPDX-License-Identifier: MIT
//
// What the waiting room does not take: more polls than it has places for, more clients of a user
// than the limit, and a client that asks for the same again and again.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/unit/fake_waiting.h"

namespace letterbox::test {
namespace {

struct NarrowWaiting : FakeWaiting {
  NarrowWaiting() : FakeWaiting({.parked = 2, .clients = 3}) {}

  static Question of(std::string user, const Cursor& after = id(4)) {
    Question question = with_cursor(after);
    question.user = std::move(user);
    return question;
  }
  void fill() {
    park(of("bob"));
    park(of("carol"));
    store.notes.clear();
  }
};

Code refusal_of(const std::shared_ptr<Heard>& heard) {
  REQUIRE(heard->answers.empty());
  REQUIRE(heard->refusals.size() == 1);
  CHECK(heard->refusals.front().retry_after_ms > 0);
  return heard->refusals.front().code;
}

// --- places ------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(NarrowWaiting, "if all places are taken a poll that finds nothing is refused") {
  fill();
  const auto heard = enter(of("alice"));
  CHECK(store.reads.front().park_until == 0);
  CHECK(store.reads.front().watch_until == 0);
  answer_read(nothing_after(id(4)));
  CHECK(refusal_of(heard) == Code::overloaded);
  CHECK(room.size() == 2);
  CHECK(bells.size() == 2);
}

TEST_CASE_FIXTURE(NarrowWaiting, "a poll that is refused leaves nothing in the room") {
  fill();
  CHECK(room.mailboxes() == 2);
  for (int i = 0; i < 100; ++i) {
    enter(of("user" + std::to_string(i)));
    answer_read(nothing_after(id(4)));
  }
  CHECK(room.mailboxes() == 2);
  CHECK(store.notes.empty());
}

TEST_CASE_FIXTURE(NarrowWaiting, "if all places are taken a poll that finds messages is answered") {
  fill();
  const auto heard = enter(of("alice"));
  answer_read(one(id(5)));
  CHECK(reason_of(heard) == "messages");
}

TEST_CASE_FIXTURE(NarrowWaiting, "if all places are taken a poll that only looks is answered") {
  fill();
  const auto heard = enter(only_looking(of("alice")));
  answer_read(nothing_after(id(4)));
  CHECK(reason_of(heard) == "timeout");
}

TEST_CASE_FIXTURE(NarrowWaiting, "a client that is kept warm is refused like any other") {
  park(of("alice"));
  rung(ring(id(5)));
  fill();
  const auto heard = enter(of("alice", id(5)));
  CHECK_MESSAGE(store.reads.front().watch_until == 0, "its mailbox is watched no longer");
  answer_read(nothing_after(id(5)));
  CHECK(refusal_of(heard) == Code::overloaded);
}

TEST_CASE_FIXTURE(NarrowWaiting, "a place that becomes free is taken by the next poll") {
  const auto bob = park(of("bob"));
  park(of("carol"));
  SUBCASE("its poll was answered") { rung(ring(id(5)), "bob"); }
  SUBCASE("its client went away") { bob->leave(); }
  SUBCASE("its time was up") { tick_after(25'000); }
  const auto heard = park(of("alice"));
  CHECK(heard->count() == 0);
}

TEST_CASE_FIXTURE(NarrowWaiting, "a newer poll takes the place of the one it supersedes") {
  fill();
  clock.pass(1000);
  const auto newer = park(of("bob"));
  CHECK(newer->count() == 0);
  CHECK(room.size() == 2);
}

TEST_CASE_FIXTURE(NarrowWaiting, "polls whose reads are under way have their places") {
  enter(of("bob"));
  enter(of("carol"));
  const auto late = enter(of("alice"));
  for (int i = 0; i < 3; ++i) answer_read(nothing_after(id(4)));
  CHECK(refusal_of(late) == Code::overloaded);
  CHECK(room.size() == 2);
}

TEST_CASE_FIXTURE(
    NarrowWaiting,
    "a client that is told to have gone after its poll has ended gives back one place") {
  const auto heard = std::make_shared<Heard>();
  SUBCASE("it had gone before it came in, and the program ends") {
    heard->here = false;
    room.close(desk);
    room.enter(desk, of("alice"), std::make_shared<FakeReplyTo>(heard));
    CHECK(room.ended(Reason::shutdown) == 1);
  }
  SUBCASE("it goes as its user is kicked, with a read under way") {
    Question question = of("alice");
    question.admission = std::make_shared<const Admission>(Admission{.claim = {.user = "alice"}});
    room.enter(desk, std::move(question), std::make_shared<FakeReplyTo>(heard));
    room.kick(desk, "alice", Claim{.user = "alice"}.key());
    heard->leave();
    CHECK(room.ended(Reason::kicked) == 1);
    answer_read(nothing_after(id(4)));
    fill();
    enter(of("dave"));
    answer_read(nothing_after(id(4)));
    CHECK_MESSAGE(room.size() == 2, "there are as many places as before");
    CHECK(room.ended(Reason::error) == 1);
    room.close(desk);
  }
  CHECK(room.ended(Reason::gone) == 0);
  CHECK(room.size() == 0);
}

// --- clients of a user -------------------------------------------------------------------------

struct Crowded : FakeWaiting {
  Crowded() : FakeWaiting({.clients = 3}) {}
};

TEST_CASE_FIXTURE(Crowded, "one client more than the limit is refused if all others wait") {
  for (const auto* name : {"a", "b", "c"}) park(with_cursor(id(4), name));
  const auto heard = enter(with_cursor(id(4), "d"));
  CHECK(refusal_of(heard) == Code::too_many_clients);
  CHECK(store.reads.empty());
  CHECK(room.size() == 3);
  CHECK_MESSAGE(park(with_cursor(id(4), "a"))->count() == 0,
                "a client that is known is not refused");
}

TEST_CASE_FIXTURE(Crowded,
                  "a client above the limit takes the place of the one longest without a poll") {
  for (const auto* name : {"a", "b", "c"}) {
    enter(only_looking(with_cursor(id(4), name)));
    answer_read(nothing_after(id(4)));
    clock.pass(10);
  }
  const auto d = park(with_cursor(id(4), "d"));
  CHECK(d->count() == 0);
  REQUIRE(store.notes.size() == 2);
  CHECK(store.notes.back().client == "d");
  CHECK(store.notes.front().client == "a");
  CHECK(store.notes.front().park_until == 0);
}

TEST_CASE_FIXTURE(Crowded, "ten thousand names leave as many clients as the limit allows") {
  for (int i = 0; i < 10'000; ++i) {
    enter(only_looking(with_cursor(id(4), std::to_string(i))));
    answer_read(nothing_after(id(4)));
    while (!store.notes.empty()) answer_note(Reading{});
  }
  size_t notes = 0;
  tick_after(1000);
  while (!store.notes.empty()) {
    answer_note(Reading{});
    ++notes;
  }
  CHECK(notes == 3);
}

TEST_CASE_FIXTURE(Crowded, "a poll is told if the store has too many clients of its user") {
  const auto heard = enter(with_cursor(id(4)));
  SUBCASE("as it comes in") {}
  SUBCASE("after it was parked") {
    answer_read(nothing_after(id(4)));
    rung(bell());
  }
  answer_read(too_many_clients());
  CHECK(refusal_of(heard) == Code::too_many_clients);
  CHECK(room.size() == 0);
  CHECK(room.mailboxes() == 0);
}

// --- the same again and again ------------------------------------------------------------------

struct Looping : FakeWaiting {
  // Asks with the cursor given before; returns how long the answer takes.
  uint64_t ask(const Question& question) {
    const uint64_t begin = clock.steady_ms();
    const auto heard = enter(question);
    while (store.reads.empty()) tick_after(5);
    answer_read(one(id(5)));
    CHECK(reason_of(heard) == "messages");
    return clock.steady_ms() - begin;
  }
};

TEST_CASE_FIXTURE(
    Looping, "a client that asks for the same again and again is held back longer and longer") {
  Question question = with_cursor(id(4));
  SUBCASE("one that waits") {}
  SUBCASE("one that only looks") { question.timeout_ms = 0; }
  SUBCASE("one with a foreign cursor") { question = with_foreign_cursor(); }
  std::vector<uint64_t> took;
  took.reserve(9);
  for (int i = 0; i < 9; ++i) took.push_back(ask(question));
  CHECK(took == std::vector<uint64_t>{0, 0, 0, 0, 125, 250, 500, 1000, 1000});
}

TEST_CASE_FIXTURE(Looping, "a client that moves on is never held back") {
  for (uint64_t seq = 1; seq < 50; ++seq) {
    enter(with_cursor(id(seq)));
    Reading reading = one(id(seq + 1));
    reading.newest = id(100);
    answer_read(reading);
  }
  CHECK(store.reads.empty());
  for (int i = 0; i < 6; ++i) ask(with_cursor(id(4)));
  CHECK(ask(with_cursor(id(3))) == 0);
}

TEST_CASE_FIXTURE(Looping, "a client that asks for the same once a second is not held back") {
  for (int i = 0; i < 10; ++i) {
    CHECK(ask(with_cursor(id(4))) == 0);
    clock.pass(1000);
  }
}

TEST_CASE_FIXTURE(Looping,
                  "a client that looks again and again and finds nothing is not held back") {
  for (int i = 0; i < 100; ++i) {
    const auto heard = enter(only_looking(with_cursor(id(4))));
    answer_read(nothing_after(id(4)));
    CHECK(reason_of(heard) == "timeout");
  }
}

TEST_CASE_FIXTURE(Looping, "one client's loop does not hold back another's") {
  for (int i = 0; i < 9; ++i) ask(with_cursor(id(4), "loop"));
  CHECK(ask(with_cursor(id(4), "tab")) == 0);
}

struct HeldBack : Looping {
  HeldBack() {
    for (int i = 0; i < 8; ++i) ask(with_cursor(id(4)));
    held = enter(with_cursor(id(4)));
    CHECK(store.reads.empty());
  }
  std::shared_ptr<Heard> held;
};

TEST_CASE_FIXTURE(HeldBack, "a poll that is held back and goes away leaves nothing behind") {
  held->leave();
  tick_after(1000);
  CHECK(store.reads.empty());
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(HeldBack, "a newer poll ends one that is held back, but not at once") {
  enter(with_cursor(id(3)));
  tick_after(999);
  CHECK(held->count() == 0);
  tick_after(1);
  CHECK(reason_of(held) == "superseded");
  CHECK(retry_of(held) >= 1000);
}

TEST_CASE_FIXTURE(HeldBack, "a poll that is held back is answered as the program ends") {
  room.close(desk);
  CHECK(reason_of(held) == "shutdown");
  CHECK(room.size() == 0);
}

}  // namespace
}  // namespace letterbox::test
