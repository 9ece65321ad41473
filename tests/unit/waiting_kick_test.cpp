// SPDX-License-Identifier: MIT
//
// Polls whose user may wait no longer: thrown out, or at the end of an admission.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/fake_entrance.h"

namespace letterbox::test {
namespace {

// As alice's client, who came in by that claim.
Question admitted(Question question, const Claim& claim) {
  question.admission = std::make_shared<const Admission>(Admission{.claim = claim});
  return question;
}
Question waiting_by(const Claim& claim, std::string client = "") {
  return admitted(with_cursor(id(4), std::move(client)), claim);
}

struct ThrowingOut : FakeWaiting {
  void kick(const Claim& claim) { room.kick(desk, claim.user, claim.key()); }
};

TEST_CASE_FIXTURE(ThrowingOut,
                  "a parked poll that is thrown out is answered at once, and where it stood") {
  const auto heard = park(waiting_by(vouched()));
  kick(vouched());
  CHECK(reason_of(heard) == "kicked");
  CHECK(field(answer_of(heard), "cursor") == id(4).text());
  CHECK(field(answer_of(heard), "messages").empty());
  CHECK(retry_of(heard) == 0);
  CHECK(room.size() == 0);
  CHECK(room.parked() == 0);
}

TEST_CASE_FIXTURE(ThrowingOut,
                  "nothing is kept warm for who was thrown out, and it is noted as away") {
  park(waiting_by(vouched(), "tab"));
  store.notes.clear();
  kick(vouched());
  REQUIRE(store.notes.size() == 1);
  CHECK(store.notes.front().client == "tab");
  CHECK(store.notes.front().after == id(4));
  CHECK(store.notes.front().watch_until == 0);
  CHECK(store.notes.front().park_until == 0);
  CHECK(bells.size() == 0);
  CHECK(room.mailboxes() == 0);
  CHECK(tick_after(0) == kNever);
}

TEST_CASE_FIXTURE(ThrowingOut,
                  "a poll that is being read for is answered at once, and gets no messages") {
  const auto heard = enter(waiting_by(vouched()));
  kick(vouched());
  CHECK(reason_of(heard) == "kicked");
  answer_read(one(id(5)));
  CHECK(heard->count() == 1);
  CHECK(room.size() == 0);
  CHECK(room.mailboxes() == 0);
}

TEST_CASE_FIXTURE(ThrowingOut,
                  "one that comes in while another is still read for is not mixed up with it") {
  enter(waiting_by(vouched()));
  kick(vouched());
  const auto next = enter(waiting_by(vouched()));
  answer_read(one(id(5)));
  CHECK(next->count() == 0);
  answer_read(nothing_after(id(5)));
  CHECK(next->count() == 0);
  rung(ring(id(6)));
  CHECK(reason_of(next) == "messages");
}

TEST_CASE_FIXTURE(ThrowingOut,
                  "a poll that is held back for asking again and again is answered at once") {
  for (int i = 0; i < 4; ++i) {
    const auto heard = enter(waiting_by(vouched()));
    answer_read(one(id(5)));
    CHECK(reason_of(heard) == "messages");
  }
  const auto slowed = enter(waiting_by(vouched()));
  REQUIRE(store.reads.empty());
  kick(vouched());
  CHECK(reason_of(slowed) == "kicked");
  tick_after(10'000);
  CHECK(store.reads.empty());
  CHECK(slowed->count() == 1);
}

TEST_CASE_FIXTURE(ThrowingOut,
                  "a superseded poll that is answered late gets its answer, and no messages") {
  const auto older = park(waiting_by(vouched()));
  const auto newer = enter(waiting_by(vouched()));
  kick(vouched());
  CHECK(reason_of(newer) == "kicked");
  tick_after(1000);
  CHECK(reason_of(older) == "superseded");
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(ThrowingOut,
                  "every client that came in by that claim is thrown out, each other stays") {
  const auto a = park(waiting_by(by_token("1"), "a"));
  const auto b = park(waiting_by(by_token("1"), "b"));
  const auto c = park(waiting_by(by_token("2"), "c"));
  const auto d = park(waiting_by(vouched(), "d"));
  const auto e = park(with_cursor(id(4), "e"));
  kick(by_token("1"));
  CHECK(reason_of(a) == "kicked");
  CHECK(reason_of(b) == "kicked");
  for (const auto& stays : {c, d, e}) CHECK(stays->count() == 0);
  CHECK(bells.watches("alice"));
  CHECK(room.size() == 3);
  rung(ring(id(5)));
  for (const auto& stays : {c, d, e}) CHECK(reason_of(stays) == "messages");
}

TEST_CASE_FIXTURE(
    ThrowingOut,
    "only the user who is meant is thrown out, and one that is not here is no matter") {
  const auto heard = park(waiting_by(vouched()));
  room.kick(desk, "bob", vouched("bob").key());
  room.kick(desk, "alice", by_token("1").key());
  room.kick(desk, "alice", vouched("bob").key());
  CHECK(heard->count() == 0);
}

TEST_CASE_FIXTURE(ThrowingOut,
                  "whoever is between two polls when thrown out is answered by nobody") {
  const auto heard = park(waiting_by(vouched()));
  rung(ring(id(5)));
  CHECK(reason_of(heard) == "messages");
  kick(vouched());
  CHECK(heard->count() == 1);
}

TEST_CASE_FIXTURE(ThrowingOut,
                  "who was thrown out and comes back is read for anew, and misses nothing") {
  park(waiting_by(vouched()));
  kick(vouched());
  rung(ring(id(5)));  // nobody is here to hear it
  const auto again = enter(waiting_by(vouched()));
  REQUIRE(store.reads.size() == 1);
  answer_read(one(id(5)));
  CHECK(reason_of(again) == "messages");
}

TEST_CASE_FIXTURE(ThrowingOut, "a place is free again after its poll was thrown out") {
  FakeWaiting small({.parked = 1, .clients = 100});
  small.park(waiting_by(vouched()));
  small.room.kick(small.desk, "alice", vouched().key());
  small.park(waiting_by(vouched("bob")));
  CHECK(small.room.size() == 1);
}

// --- who is here -------------------------------------------------------------------------------

TEST_CASE_FIXTURE(ThrowingOut, "by what the polls of a user came in is told once each") {
  park(waiting_by(by_token("1"), "a"));
  park(waiting_by(by_token("1"), "b"));
  park(waiting_by(vouched(), "c"));
  park(with_cursor(id(4), "d"));
  enter(waiting_by(by_token("2"), "e"));
  std::vector<std::string> keys;
  for (const auto& admission : room.admissions("alice")) keys.push_back(admission->claim.key());
  std::sort(keys.begin(), keys.end());
  CHECK(keys == std::vector<std::string>{vouched().key(), "1", "2"});
  CHECK(room.admissions("bob").empty());
}

TEST_CASE_FIXTURE(ThrowingOut, "who has been answered came in by nothing any more") {
  park(waiting_by(vouched()));
  rung(ring(id(5)));
  CHECK(room.admissions("alice").empty());
}

TEST_CASE_FIXTURE(ThrowingOut, "each user is told once, however many clients there are") {
  park(waiting_by(vouched(), "a"));
  park(waiting_by(vouched(), "b"));
  Question other = with_cursor(id(4));
  other.user = "bob";
  park(other);
  auto users = room.users();
  std::sort(users.begin(), users.end());
  CHECK(users == std::vector<std::string>{"alice", "bob"});
}

// --- the end of an admission -------------------------------------------------------------------

Question ending(Question question) {
  question.outlives_admission = true;
  question.timeout_ms = 5000;
  return question;
}

TEST_CASE_FIXTURE(ThrowingOut, "a poll that waits until its admission ends is thrown out then") {
  const auto ends = park(ending(with_cursor(id(4), "a")));
  const auto times_out = park(with_cursor(id(4), "b"));
  tick_after(4999);
  CHECK(ends->count() == 0);
  tick_after(1);
  CHECK(reason_of(ends) == "kicked");
  CHECK(times_out->count() == 0);
  tick_after(20'000);
  CHECK(reason_of(times_out) == "timeout");
}

TEST_CASE_FIXTURE(ThrowingOut,
                  "it is thrown out as well where it was being read for, or the store is away") {
  const auto heard = park(ending(with_cursor(id(4))));
  rung(bell());
  REQUIRE(store.reads.size() == 1);
  clock.pass(5000);
  SUBCASE("nothing was found") { answer_read(nothing_after(id(4))); }
  SUBCASE("the store is away") { answer_read(away()); }
  CHECK(reason_of(heard) == "kicked");
}

TEST_CASE_FIXTURE(ThrowingOut, "messages that come before its admission ends are still its own") {
  const auto heard = park(ending(with_cursor(id(4))));
  rung(ring(id(5)));
  CHECK(reason_of(heard) == "messages");
}

}  // namespace
}  // namespace letterbox::test
