// SPDX-License-Identifier: MIT
//
// When it is written that a client has come back: later, unless that would be too late.
#include <doctest/doctest.h>

#include <string>

#include "tests/unit/fake_waiting.h"

namespace letterbox::test {
namespace {

struct Debts : FakeWaiting {
  // A client that has had the message before this one, and waits.
  uint64_t at = 4;

  Debts() { park(with_cursor(id(at))); }

  // It gets one more message of that length, and comes back.
  std::shared_ptr<Heard> one_more(size_t bytes = 1, uint64_t timeout_ms = 25'000) {
    rung("\x01" + id(++at).text() + " " +
         make_element("mail", '"' + std::string(bytes, 'x') + '"', 5, 0));
    Question question = with_cursor(id(at));
    question.timeout_ms = timeout_ms;
    return enter(question);
  }
};

TEST_CASE_FIXTURE(Debts, "several messages within a second are acknowledged once, by the last") {
  for (int i = 0; i < 5; ++i) one_more();
  CHECK(store.acks.empty());
  tick_after(kNoteDelay);
  REQUIRE(store.acks.size() == 1);
  CHECK(store.acks.front().after == id(9));
  tick_after(kNoteDelay);
  CHECK(store.acks.size() == 1);
  CHECK(store.notes.empty());
}

TEST_CASE_FIXTURE(Debts, "the eighth message is acknowledged at once") {
  for (int i = 0; i < 7; ++i) one_more();
  CHECK(store.acks.empty());
  one_more();
  REQUIRE(store.acks.size() == 1);
  CHECK(store.acks.front().after == id(12));
  one_more();
  CHECK(store.acks.size() == 1);
}

TEST_CASE_FIXTURE(Debts, "a kilobyte is acknowledged at once, in however many messages") {
  one_more(400);
  one_more(400);
  CHECK(store.acks.empty());
  one_more(400);
  CHECK(store.acks.size() == 1);
}

TEST_CASE_FIXTURE(Debts, "a client that leaves is noted with all that it has acknowledged") {
  one_more();
  one_more()->leave();
  CHECK(store.acks.empty());
  REQUIRE(store.notes.size() == 1);
  CHECK(store.notes.front().after == id(6));
  CHECK(store.notes.front().park_until == 0);
  tick_after(kNoteDelay);
  CHECK(store.acks.empty());
  CHECK(store.notes.size() == 1);
}

TEST_CASE_FIXTURE(Debts, "a client that stays away is noted with all that it has acknowledged") {
  one_more();
  rung(ring(id(6)));
  tick_after(500);
  REQUIRE(store.notes.size() == 1);
  CHECK(store.notes.front().after == id(5));
  tick_after(kNoteDelay);
  CHECK(store.acks.empty());
}

TEST_CASE_FIXTURE(
    Debts, "an acknowledgement that falls due between two polls is written with the next poll") {
  one_more();
  clock.pass(999);
  rung(ring(id(6)));
  tick_after(101);
  CHECK(store.acks.empty());
  enter(with_cursor(id(6)));
  REQUIRE(store.acks.size() == 1);
  CHECK(store.acks.front().after == id(6));
}

TEST_CASE_FIXTURE(Debts,
                  "a poll is noted at once if the store would otherwise think that it ended") {
  one_more(1, 25'000);
  clock.pass(400);
  tick_after(0);
  SUBCASE("since the one before it was short") {
    one_more(1, 1'500);
    tick_after(kNoteDelay);
    CHECK(store.acks.size() == 1);
    one_more();
    CHECK(store.acks.size() == 2);
  }
  SUBCASE("not if it was long") {
    one_more();
    CHECK(store.acks.empty());
  }
}

TEST_CASE_FIXTURE(FakeWaiting, "a client whose cursor the store keeps is always written at once") {
  park(without_cursor());
  rung(ring(id(5)));
  REQUIRE(store.reads.size() == 1);
  answer_read(one(id(5)));
  enter(without_cursor());
  CHECK(store.reads.size() == 1);
}

TEST_CASE_FIXTURE(Debts, "a client that is forgotten has nothing left to write") {
  one_more();
  const std::shared_ptr<Heard> last = one_more();
  room.close(desk);
  CHECK(reason_of(last) == "shutdown");
  tick_after(kNoteDelay);
  tick_after(10'000);
  CHECK(room.mailboxes() == 0);
  CHECK(store.acks.empty());
}

}  // namespace
}  // namespace letterbox::test
