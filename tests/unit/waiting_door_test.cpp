// SPDX-License-Identifier: MIT
//
// Who is known to be good, and who among those that wait no longer is.
#include <doctest/doctest.h>

#include "tests/unit/fake_entrance.h"
#include "waiting/door.h"

namespace letterbox::test {
namespace {

constexpr uint64_t kMinute = 60'000;

struct Doorway : FakeEntrance {
  explicit Doorway(size_t most = Door::kMost) : FakeEntrance(most) {}

  Door::AdmissionPtr known(const Claim& claim) {
    stale = false;
    return door.known(claim.key(), stale);
  }
  // Asks, and leaves it to the test when that is answered.
  std::shared_ptr<std::optional<Or<Door::AdmissionPtr>>> ask(const Claim& claim) {
    auto outcome = std::make_shared<std::optional<Or<Door::AdmissionPtr>>>();
    door.ask(access, claim, "192.0.2.1",
             [outcome](const Or<Door::AdmissionPtr>& answer) { *outcome = answer; });
    return outcome;
  }
  void let_in(const Claim& claim) {
    const auto outcome = ask(claim);
    access.answer_admit();
    REQUIRE(outcome->has_value());
    REQUIRE(**outcome);
  }
  // Waits in the room, let in by that claim.
  std::shared_ptr<Heard> wait_by(const Claim& claim, const std::string& client = "") {
    Question question = with_cursor(id(4), client);
    question.user = claim.user;
    question.admission = std::make_shared<const Admission>(Admission{.claim = claim});
    return park(std::move(question));
  }
  void notice(const std::string& user = "alice") { door.notice(desk, access, user); }
  void lock_out(const std::string& user = "alice") { access.lock_out(user); }

  bool stale = false;
};

// --- who is known ------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Doorway, "whoever was found good is known from then on") {
  hand_out("h");
  CHECK_FALSE(known(by_token("h")));
  const auto outcome = ask(by_token("h"));
  CHECK(access.admits.front().address == "192.0.2.1");
  CHECK_FALSE(known(by_token("h")));
  access.answer_admit();
  CHECK(outcome->value().value()->claim.hash == "h");
  REQUIRE(known(by_token("h")));
  CHECK(known(by_token("h"))->claim.user == "alice");
  CHECK_FALSE(stale);
  CHECK_FALSE(known(by_token("other")));
  CHECK_FALSE(known(vouched()));
}

TEST_CASE_FIXTURE(Doorway, "whoever is refused, or could not be asked about, is not known") {
  const auto refused = ask(by_token("h"));
  access.answer_admit();
  CHECK(refused->value().error().code == Code::bad_token);
  CHECK_FALSE(known(by_token("h")));
  const auto unasked = ask(vouched());
  access.answer_admit(away());
  CHECK(unasked->value().error() == away());
  CHECK_FALSE(known(vouched()));
}

TEST_CASE_FIXTURE(Doorway,
                  "a notice about a user has all be forgotten that was known of that user") {
  hand_out("h");
  let_in(by_token("h"));
  let_in(vouched());
  let_in(vouched("bob"));
  notice();
  CHECK_FALSE(known(by_token("h")));
  CHECK_FALSE(known(vouched()));
  CHECK(known(vouched("bob")));
  let_in(vouched());
  CHECK(known(vouched()));
}

TEST_CASE_FIXTURE(Doorway, "what was asked before a notice came is not remembered") {
  const auto outcome = ask(vouched());
  notice();
  access.answer_admit();
  CHECK(outcome->value());  // it was so when it was asked: entering the room has it looked at again
  CHECK_FALSE(known(vouched()));
}

TEST_CASE_FIXTURE(Doorway, "what was asked while nothing was heard is not remembered") {
  const auto before = ask(vouched());
  door.shut();
  const auto deaf = ask(vouched());
  access.answer_admit();
  CHECK_FALSE(known(vouched()));
  door.open(desk, access);
  access.answer_admit();
  CHECK(before->value());
  CHECK(deaf->value());
  CHECK_FALSE(known(vouched()));
}

TEST_CASE_FIXTURE(Doorway,
                  "while nothing is heard nobody is known, nor afterwards who was before") {
  let_in(vouched());
  door.shut();
  CHECK_FALSE(known(vouched()));
  let_in(vouched());
  CHECK_FALSE(known(vouched()));
  door.open(desk, access);
  CHECK_FALSE(known(vouched()));
  let_in(vouched());
  CHECK(known(vouched()));
}

TEST_CASE_FIXTURE(Doorway, "nobody is known any more whose token has ended") {
  hand_out("h").expires_ms = wall_in(5000);
  let_in(by_token("h"));
  clock.pass(4999);
  CHECK(known(by_token("h")));
  clock.pass(1);
  CHECK_FALSE(known(by_token("h")));
}

TEST_CASE_FIXTURE(Doorway, "after a minute one of those that come is to ask anew, and no other") {
  let_in(vouched());
  clock.pass(kMinute - 1);
  CHECK(known(vouched()));
  CHECK_FALSE(stale);
  clock.pass(1);
  CHECK(known(vouched()));
  CHECK(stale);
  CHECK(known(vouched()));
  CHECK_FALSE(stale);
  clock.pass(kMinute);
  CHECK(known(vouched()));
  CHECK(stale);
}

TEST_CASE("of more users than are remembered those stay who were here lately") {
  Doorway entrance(3 * Door::kEach);
  for (const auto user : {"a", "b", "c"}) entrance.let_in(vouched(user));
  entrance.let_in(vouched("d"));
  CHECK(entrance.known(vouched("a")));  // comes over into the new book
  for (const auto user : {"e", "f"}) entrance.let_in(vouched(user));
  for (const auto user : {"a", "d", "e", "f"}) CHECK(entrance.known(vouched(user)));
  for (const auto user : {"b", "c"}) CHECK_FALSE(entrance.known(vouched(user)));
}

TEST_CASE("what back ends attach to tokens counts by its length") {
  Doorway entrance(20 * Door::kEach);
  const std::string data = '"' + std::string(4000, 'x') + '"';
  for (const std::string hash : {"a", "b", "c", "d", "e", "f"}) {
    entrance.hand_out(hash);
    entrance.access.records[hash].data = data;
    entrance.let_in(by_token(hash));
  }
  CHECK_FALSE(entrance.known(by_token("a")));
  CHECK(entrance.known(by_token("f")));
}

TEST_CASE_FIXTURE(Doorway,
                  "after ten thousand users with a notice nobody is known, and all goes on") {
  let_in(vouched("carol"));
  for (int i = 0; i < 10'000; ++i) notice("user" + std::to_string(i));
  CHECK(known(vouched("carol")));
  notice("user10000");
  CHECK_FALSE(known(vouched("carol")));
  let_in(vouched("carol"));
  CHECK(known(vouched("carol")));
  notice("carol");
  CHECK_FALSE(known(vouched("carol")));
}

// --- who waits ---------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Doorway, "a notice ends the polls of who is no longer good, and no others") {
  access.at_once = true;
  hand_out("h");
  const auto out = wait_by(by_token("h"), "a");
  const auto also_out = wait_by(by_token("h"), "b");
  const auto stays = wait_by(vouched(), "c");
  access.records.clear();
  CHECK(out->count() == 0);
  notice();
  CHECK(reason_of(out) == "kicked");
  CHECK(reason_of(also_out) == "kicked");
  CHECK(stays->count() == 0);
}

TEST_CASE_FIXTURE(Doorway, "each claim is looked at once, without noting that it was used") {
  hand_out("h");
  wait_by(by_token("h"), "a");
  wait_by(by_token("h"), "b");
  wait_by(vouched(), "c");
  wait_by(vouched("bob"));
  notice();
  REQUIRE(access.admits.size() == 2);
  for (const auto& admit : access.admits) CHECK(admit.address.empty());
}

TEST_CASE_FIXTURE(Doorway, "a poll whose user is locked out ends") {
  access.at_once = true;
  const auto heard = wait_by(vouched());
  const auto other = wait_by(vouched("bob"));
  lock_out();
  notice();
  CHECK(reason_of(heard) == "kicked");
  CHECK(other->count() == 0);
}

TEST_CASE_FIXTURE(Doorway,
                  "where Redis is away everybody stays, and is looked at when it is back") {
  const auto heard = wait_by(vouched());
  lock_out();
  notice();
  access.answer_admit(away());
  CHECK(heard->count() == 0);
  door.shut();
  CHECK(access.admits.empty());
  door.open(desk, access);
  access.answer_admit();
  CHECK(reason_of(heard) == "kicked");
}

TEST_CASE_FIXTURE(Doorway, "whoever has left when the answer comes is nobody's concern") {
  const auto heard = wait_by(vouched());
  lock_out();
  notice();
  heard->leave();
  access.answer_admit();
  CHECK(heard->count() == 0);
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(Doorway, "when notices are heard again everybody is looked at, in portions") {
  for (int i = 0; i < 450; ++i) wait_by(vouched("user" + std::to_string(i)));
  access.at_once = true;
  door.open(desk, access);
  CHECK(access.asked == 200);
  clock.pass(20);
  run_timers();
  CHECK(access.asked == 400);
}

TEST_CASE_FIXTURE(Doorway, "a new look at everybody ends the one before") {
  for (int i = 0; i < 300; ++i) wait_by(vouched("user" + std::to_string(i)));
  access.at_once = true;
  door.open(desk, access);
  door.open(desk, access);
  CHECK(access.asked == 400);
  clock.pass(20);
  run_timers();
  CHECK(access.asked == 500);
}

}  // namespace
}  // namespace letterbox::test
