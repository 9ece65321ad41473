// SPDX-License-Identifier: MIT
//
// Between two polls of a client: the client is kept warm for a while, and the store is told in time
// that it no longer waits.
#include <doctest/doctest.h>

#include "tests/unit/fake_waiting.h"

namespace letterbox::test {
namespace {

TEST_CASE_FIXTURE(FakeWaiting, "a client that does not come back within 500 ms is noted as away") {
  park(with_cursor(id(4), "tab"));
  rung(ring(id(5)));
  CHECK(tick_after(0) == 500);
  tick_after(499);
  CHECK(store.notes.empty());
  tick_after(1);
  REQUIRE(store.notes.size() == 1);
  const auto& note = store.notes.front();
  CHECK(note.user == "alice");
  CHECK(note.client == "tab");
  CHECK(note.after == id(4));  // the last one that it acknowledged
  CHECK(note.limit == 0);
  CHECK(note.park_until == 0);
  // Its mailbox is still listened to.
  CHECK(note.watch_until == wall_in(5'000 - 500 + 1'000));
  tick_after(500);
  CHECK(store.notes.size() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting, "a client that is back within 500 ms is not noted as away") {
  park(with_cursor(id(4)));
  rung(ring(id(5)));
  tick_after(50);
  enter(with_cursor(id(5)));
  store.notes.clear();  // its acknowledgement
  tick_after(50);
  tick_after(10'000);
  CHECK(store.notes.empty());
  CHECK(bells.watches("alice"));
}

TEST_CASE_FIXTURE(FakeWaiting, "a client without a cursor is noted as away without one") {
  park(without_cursor());
  rung(bell());
  answer_read(one(id(5)));
  tick_after(500);
  REQUIRE(store.notes.size() == 1);
  CHECK_FALSE(store.notes.front().after);
}

TEST_CASE_FIXTURE(FakeWaiting, "a client whose cursor was foreign is noted as away without one") {
  const auto heard = enter(with_foreign_cursor());
  answer_read(one(id(5)));
  tick_after(500);
  REQUIRE(store.notes.size() == 1);
  CHECK_FALSE(store.notes.front().after);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a mailbox is listened to for five seconds after its last poll was answered") {
  park(with_cursor(id(4)));
  rung(ring(id(5)));
  CHECK(tick_after(500) == 4'500);
  tick_after(4'499);
  CHECK(bells.watches("alice"));
  CHECK(tick_after(1) == kNever);
  CHECK_FALSE(bells.watches("alice"));
  CHECK(room.mailboxes() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "a client that comes back later than that asks the store again") {
  park(with_cursor(id(4)));
  rung(ring(id(5)));
  tick_after(500);
  tick_after(4'500);
  enter(with_cursor(id(5)));
  CHECK(store.reads.size() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting, "a mailbox is listened to for as long as any client of it waits") {
  const auto tab = park(with_cursor(id(4), "tab"));
  const auto phone = enter(with_cursor(id(5), "phone"));
  answer_read(nothing_after(id(5)));
  rung(ring(id(5)));
  CHECK(reason_of(tab) == "messages");
  tick_after(500);
  CHECK(store.notes.back().watch_until == wall_in(24'500 + 5'000 + 1'000 + 60'000));
  tick_after(4'500);
  CHECK(bells.watches("alice"));
  CHECK(phone->count() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a mailbox is not listened to any more once its last client has gone") {
  const auto tab = park(with_cursor(id(4), "tab"));
  const auto phone = park(with_cursor(id(4), "phone"));
  tab->leave();
  CHECK(bells.watches("alice"));
  phone->leave();
  CHECK_FALSE(bells.watches("alice"));
}

TEST_CASE_FIXTURE(
    FakeWaiting,
    "a client that is back before the store heard that it went is looked at, or reads again") {
  park(with_cursor(id(4)))->leave();
  REQUIRE(store.notes.size() == 1);
  CHECK(store.notes.front().park_until == 0);
  const auto back = enter(with_cursor(id(4)));
  SUBCASE("looked at if it is parked") {
    answer_read(nothing_after(id(4)));
    answer_note(nothing_after(id(4)));
    REQUIRE(store.peeks.size() == 1);
    CHECK(store.peeks.front().clients.front() == std::pair<std::string, std::string>("alice", ""));
  }
  SUBCASE("read again if its read is under way") {
    answer_note(nothing_after(id(4)));
    answer_read(nothing_after(id(4)));
    REQUIRE(store.reads.size() == 1);
    CHECK(store.reads.front().park_until == wall_in(25'000));
    answer_read(nothing_after(id(4)));
  }
  CHECK(store.notes.empty());
  CHECK(store.reads.empty());
  CHECK(back->count() == 0);
  CHECK(room.parked() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a poll that only looked leaves nothing to listen to, and little to remember") {
  enter(only_looking(with_cursor(id(4))));
  answer_read(nothing_after(id(4)));
  CHECK(bells.size() == 0);
  tick_after(500);
  tick_after(4'500);
  CHECK(room.mailboxes() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "if a client leaves while another needs the watch, that other one is looked at") {
  const auto gone = park(with_cursor(id(4), "tab"));
  gone->leave();
  // By another worker, whose read is quicker than the note.
  const auto phone = enter(with_cursor(id(4), "phone"));
  answer_read(nothing_after(id(4)));
  answer_note(nothing_after(id(4)));
  CHECK(store.peeks.size() == 1);
  CHECK(phone->count() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "if a client leaves while another is between two polls, that other one reads") {
  const auto gone = park(with_cursor(id(4), "tab"));
  gone->leave();
  // By another worker, whose read is quicker than the note; it is told of a message before that.
  enter(with_cursor(id(4), "phone"));
  answer_read(nothing_after(id(4)));
  rung(ring(id(5)));
  answer_note(nothing_after(id(4)));
  enter(with_cursor(id(5), "phone"));
  CHECK_MESSAGE(store.reads.size() == 1, "the note may have taken its watch out");
}

TEST_CASE_FIXTURE(FakeWaiting, "a client that comes back after it was noted as away reads") {
  park(with_cursor(id(4), "tab"));
  rung(ring(id(5)));
  tick_after(500);
  store.notes.clear();
  tick_after(2'000);
  const auto tab = enter(with_cursor(id(5), "tab"));
  answer_read(nothing_after(id(5)));
  const auto phone = enter(with_cursor(id(5), "phone"));
  CHECK(store.reads.empty());
  CHECK(bells.size() == 1);
  rung(ring(id(6)));
  CHECK(reason_of(tab) == "messages");
  CHECK(reason_of(phone) == "messages");
}

TEST_CASE_FIXTURE(
    FakeWaiting,
    "a read for a poll that has gone says nothing of a mailbox that was made after it") {
  enter(with_cursor(id(5), "gone"))->leave();
  rung(ring(id(6)));  // no client is there to hear it
  enter(with_cursor(id(5), "slow"));
  REQUIRE(store.reads.size() == 2);
  answer_read(nothing_after(id(5)));  // from before the ring
  enter(with_cursor(id(5), "tab"));
  CHECK(room.parked() == 0);
  CHECK(store.reads.size() == 2);
}

struct WithOnePlace : FakeWaiting {
  WithOnePlace() : FakeWaiting({.parked = 1}) {}
};

TEST_CASE_FIXTURE(WithOnePlace, "no more clients are kept warm than polls may wait") {
  for (const char* user : {"alice", "bob"}) {
    Question question = with_cursor(id(4));
    question.user = user;
    park(question);
    rung(ring(id(5)), user);
    tick_after(500);  // it rests
    CHECK(room.mailboxes() == 1);
    CHECK(room.users().front() == user);
  }
}

TEST_CASE_FIXTURE(FakeWaiting, "many clients come and go, and nothing is left of them") {
  for (int i = 0; i < 200; ++i) {
    Question question = with_cursor(id(4), std::to_string(i % 3));
    question.user = "user" + std::to_string(i % 50);
    enter(question);
    if (!store.reads.empty()) answer_read(i % 2 == 0 ? nothing_after(id(4)) : one(id(5)));
  }
  tick_after(25'000);
  tick_after(500);
  CHECK(tick_after(4'500) == kNever);
  CHECK(room.size() == 0);
  CHECK(bells.size() == 0);
}

}  // namespace
}  // namespace letterbox::test
