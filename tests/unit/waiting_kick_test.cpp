// SPDX-License-Identifier: MIT
//
// Polls whose user may wait no longer: after a kick, or at the end of an admission.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/fake_entrance.h"

namespace letterbox::test {
namespace {

// A poll of a client of alice's, let in by that claim.
Question admitted(Question question, const Claim& claim) {
  question.admission = std::make_shared<const Admission>(Admission{.claim = claim});
  return question;
}
Question waiting_by(const Claim& claim, std::string client = "") {
  return admitted(with_cursor(id(4), std::move(client)), claim);
}

struct Kicking : FakeWaiting {
  void kick(const Claim& claim) { room.kick(desk, claim.user, claim.key()); }
};

TEST_CASE_FIXTURE(Kicking, "a parked poll that is kicked is answered at once, with its cursor") {
  const auto heard = park(waiting_by(vouched()));
  kick(vouched());
  CHECK(reason_of(heard) == "kicked");
  CHECK(field(answer_of(heard), "cursor") == id(4).text());
  CHECK(field(answer_of(heard), "messages").empty());
  CHECK(retry_of(heard) == 0);
  CHECK(room.size() == 0);
  CHECK(room.parked() == 0);
}

TEST_CASE_FIXTURE(Kicking, "a client that was kicked is not kept warm, and is noted as away") {
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

TEST_CASE_FIXTURE(Kicking,
                  "a poll whose read is under way is answered at once, and gets no messages") {
  const auto heard = enter(waiting_by(vouched()));
  kick(vouched());
  CHECK(reason_of(heard) == "kicked");
  answer_read(one(id(5)));
  CHECK(heard->count() == 1);
  CHECK(room.size() == 0);
  CHECK(room.mailboxes() == 0);
}

TEST_CASE_FIXTURE(
    Kicking,
    "a poll that comes in while a kicked one's read is under way is not mixed up with it") {
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

TEST_CASE_FIXTURE(Kicking,
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

TEST_CASE_FIXTURE(Kicking,
                  "a superseded poll that is answered late gets its answer, and no messages") {
  const auto older = park(waiting_by(vouched()));
  const auto newer = enter(waiting_by(vouched()));
  kick(vouched());
  CHECK(reason_of(newer) == "kicked");
  tick_after(1000);
  CHECK(reason_of(older) == "superseded");
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(Kicking, "every client that came in by that claim is kicked, every other stays") {
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
    Kicking, "a kick ends the polls of its user alone, and a user without polls does no harm") {
  const auto heard = park(waiting_by(vouched()));
  room.kick(desk, "bob", vouched("bob").key());
  room.kick(desk, "alice", by_token("1").key());
  room.kick(desk, "alice", vouched("bob").key());
  CHECK(heard->count() == 0);
}

TEST_CASE_FIXTURE(Kicking, "a client that is kicked between two polls is not answered") {
  const auto heard = park(waiting_by(vouched()));
  rung(ring(id(5)));
  CHECK(reason_of(heard) == "messages");
  kick(vouched());
  CHECK(heard->count() == 1);
}

TEST_CASE_FIXTURE(
    Kicking, "a kicked client that comes back has its mailbox read again, and misses nothing") {
  park(waiting_by(vouched()));
  kick(vouched());
  rung(ring(id(5)));  // no client is here to hear it
  const auto again = enter(waiting_by(vouched()));
  REQUIRE(store.reads.size() == 1);
  answer_read(one(id(5)));
  CHECK(reason_of(again) == "messages");
}

TEST_CASE_FIXTURE(Kicking, "a place is free again after its poll was kicked") {
  FakeWaiting small({.parked = 1, .clients = 100});
  small.park(waiting_by(vouched()));
  small.room.kick(small.desk, "alice", vouched().key());
  small.park(waiting_by(vouched("bob")));
  CHECK(small.room.size() == 1);
}

// --- claims of the polls in the room -----------------------------------------------------------

TEST_CASE_FIXTURE(Kicking, "the claims of a user's polls are told once each") {
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

TEST_CASE_FIXTURE(Kicking, "a poll that was answered has no claim any more") {
  park(waiting_by(vouched()));
  rung(ring(id(5)));
  CHECK(room.admissions("alice").empty());
}

TEST_CASE_FIXTURE(Kicking, "each user is told once, however many clients the user has") {
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

TEST_CASE_FIXTURE(Kicking, "a poll that waits until its admission ends is kicked then") {
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

TEST_CASE_FIXTURE(Kicking, "it is also kicked if its read was under way, or if the store is away") {
  const auto heard = park(ending(with_cursor(id(4))));
  rung(bell());
  REQUIRE(store.reads.size() == 1);
  clock.pass(5000);
  SUBCASE("nothing was found") { answer_read(nothing_after(id(4))); }
  SUBCASE("the store is away") { answer_read(away()); }
  CHECK(reason_of(heard) == "kicked");
}

TEST_CASE_FIXTURE(Kicking,
                  "messages that come before a poll's admission ends are still delivered") {
  const auto heard = park(ending(with_cursor(id(4))));
  rung(ring(id(5)));
  CHECK(reason_of(heard) == "messages");
}

}  // namespace
}  // namespace letterbox::test
