// SPDX-License-Identifier: MIT
//
// Messages that were replaced or retracted before a client read them, in the waiting room.
#include <doctest/doctest.h>

#include <string>

#include "tests/unit/fake_waiting.h"

namespace letterbox::test {
namespace {

// A read that found nothing but placeholders.
Reading collapsed(const Cursor& newest, uint64_t count) {
  Reading reading = nothing_after(newest);
  reading.collapsed = count;
  return reading;
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll that finds only placeholders waits behind them") {
  const auto heard = enter(with_cursor(id(4)));
  answer_read(collapsed(id(6), 2));
  CHECK(heard->count() == 0);
  CHECK(room.parked() == 1);
  SUBCASE("until a message rings") {
    rung(ring(id(7)));
    CHECK(store.reads.empty());
    CHECK(field(answer_of(heard), "messages") == message(id(7)));
    CHECK(field(answer_of(heard), "cursor") == id(7).text());
  }
  SUBCASE("until its time is up") {
    tick_after(25'000);
    CHECK(reason_of(heard) == "timeout");
    CHECK(field(answer_of(heard), "cursor") == id(6).text());
  }
  SUBCASE("until the program ends") {
    room.close(desk);
    CHECK(reason_of(heard) == "shutdown");
    CHECK(field(answer_of(heard), "cursor") == id(6).text());
  }
  CHECK(field(answer_of(heard), "missed") == "0");
  CHECK(field(answer_of(heard), "collapsed") == "2");
  CHECK(room.delivered().collapsed.value() == 2);
}

TEST_CASE_FIXTURE(FakeWaiting, "the client without a cursor waits behind placeholders, too") {
  const auto heard = enter(without_cursor());
  answer_read(collapsed(id(6), 2));
  CHECK(room.parked() == 1);
  rung(ring(id(7)));
  answer_read(one(id(7)));
  CHECK(field(answer_of(heard), "collapsed") == "2");
}

TEST_CASE_FIXTURE(FakeWaiting, "placeholders that several reads find are added up") {
  const auto heard = enter(with_cursor(id(4)));
  Reading cut = collapsed(id(9), 2);
  cut.cursor = id(6);
  answer_read(cut);
  REQUIRE(store.reads.size() == 1);
  CHECK(store.reads.front().after == id(6));
  Reading rest = one(id(9));
  rest.collapsed = 2;
  answer_read(rest);
  CHECK(field(answer_of(heard), "count") == "1");
  CHECK(field(answer_of(heard), "collapsed") == "4");
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "what a poll has passed over is not acknowledged until its client knows of it") {
  enter(with_cursor(id(4), "tab"));
  CHECK_FALSE(store.reads.front().acknowledged);
  answer_read(collapsed(id(6), 2));
  rung(bell());
  REQUIRE(store.reads.size() == 1);
  CHECK(store.reads.front().after == id(6));
  CHECK(store.reads.front().acknowledged == id(4));
  CHECK_FALSE(store.reads.front().stream);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a client that comes back with the cursor behind them is parked at once") {
  const auto heard = enter(with_cursor(id(4)));
  answer_read(collapsed(id(6), 2));
  tick_after(25'000);
  enter(with_cursor(Cursor::parse(field(answer_of(heard), "cursor")).value()));
  CHECK(store.reads.empty());
  CHECK(room.parked() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting, "a ring for a message behind a placeholder makes its poll read") {
  const auto heard = park(with_cursor(id(4)));
  rung(ring(id(6)));  // 5 was replaced by it, and its ring was lost
  REQUIRE(store.reads.size() == 1);
  Reading reading = one(id(6));
  reading.collapsed = 1;
  answer_read(reading);
  CHECK(field(answer_of(heard), "messages") == message(id(6)));
  CHECK(field(answer_of(heard), "collapsed") == "1");
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a stream goes on behind placeholders, and tells its client nothing") {
  Question question = with_cursor(id(4));
  question.stream = true;
  const auto heard = enter(question);
  answer_read(collapsed(id(6), 2));
  REQUIRE(heard->written.size() == 1);
  CHECK(field(heard->written.front(), "missed") == "0");
  CHECK(room.parked() == 1);
  rung(ring(id(7)));
  CHECK(store.reads.empty());
  REQUIRE(heard->written.size() == 2);
  CHECK(field(heard->written.back(), "messages") == message(id(7)));
  CHECK(room.delivered().collapsed.value() == 2);
}

}  // namespace
}  // namespace letterbox::test
