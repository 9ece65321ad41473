// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mailbox/admission_cache.h"
#include "tests/unit/fake_access.h"
#include "tests/unit/fake_waiting.h"
#include "waiting/review.h"

namespace letterbox::test {
namespace {

struct Reviewing : FakeWaiting {
  Reviewing() { review.listening(desk, access); }

  // A poll that waits in the room, let in by that claim.
  std::shared_ptr<Heard> wait_by(const Claim& claim, const std::string& client = "") {
    Question question = with_cursor(id(4), client);
    question.user = claim.user;
    question.admission = std::make_shared<const Admission>(Admission{.claim = claim});
    return park(std::move(question));
  }
  void notice() { review.changed(desk, access, "alice"); }

  FakeAccess access{clock};
  AdmissionCache cache{clock};
  Review review{clock, cache, room};
};

TEST_CASE_FIXTURE(Reviewing,
                  "a notice ends the polls whose claims are no longer good, and no others") {
  access.at_once = true;
  access.hand_out("h");
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

TEST_CASE_FIXTURE(Reviewing, "each claim is looked at once, and that is not noted as use") {
  access.hand_out("h");
  wait_by(by_token("h"), "a");
  wait_by(by_token("h"), "b");
  wait_by(vouched(), "c");
  wait_by(vouched("bob"));
  notice();
  REQUIRE(access.admits.size() == 2);
  for (const auto& admit : access.admits) CHECK(admit.address.empty());
}

TEST_CASE_FIXTURE(Reviewing, "a poll whose user is locked out ends") {
  access.at_once = true;
  const auto heard = wait_by(vouched());
  const auto other = wait_by(vouched("bob"));
  access.lock_out("alice");
  notice();
  CHECK(reason_of(heard) == "kicked");
  CHECK(other->count() == 0);
}

TEST_CASE_FIXTURE(Reviewing,
                  "if Redis is away every poll stays, and is looked at when Redis is back") {
  const auto heard = wait_by(vouched());
  access.lock_out("alice");
  notice();
  access.answer_admit(away());
  CHECK(heard->count() == 0);
  cache.shut();
  CHECK(access.admits.empty());
  review.listening(desk, access);
  access.answer_admit();
  CHECK(reason_of(heard) == "kicked");
}

TEST_CASE_FIXTURE(Reviewing, "a poll that has left before the answer comes does not matter") {
  const auto heard = wait_by(vouched());
  access.lock_out("alice");
  notice();
  heard->leave();
  access.answer_admit();
  CHECK(heard->count() == 0);
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(Reviewing, "when notices are heard again every poll is looked at, in portions") {
  for (int i = 0; i < 450; ++i) wait_by(vouched("user" + std::to_string(i)));
  review.listening(desk, access);
  CHECK(access.looked_at == 200);
  clock.pass(20);
  run_timers();
  CHECK(access.looked_at == 400);
  CHECK(access.asked == 0);  // nothing is known of any claim
}

TEST_CASE_FIXTURE(Reviewing,
                  "a poll whose user was locked out meanwhile ends when notices are heard again") {
  std::vector<std::shared_ptr<Heard>> all;
  for (int i = 0; i < 50; ++i) all.push_back(wait_by(vouched("user" + std::to_string(i))));
  access.at_once = true;
  access.lock_out("user17");
  SUBCASE("") {}
  SUBCASE("if Redis is away every poll stays until it is back") {
    access.is_away = true;
    review.listening(desk, access);
    for (const auto& heard : all) CHECK(heard->count() == 0);
    access.is_away = false;
  }
  review.listening(desk, access);
  for (size_t i = 0; i < all.size(); ++i) CHECK((all[i]->count() == 1) == (i == 17));
  CHECK(reason_of(all[17]) == "kicked");
}

TEST_CASE_FIXTURE(
    Reviewing, "a poll that came in by a token is asked about by it when notices are heard again") {
  access.at_once = true;
  access.hand_out("h");
  const auto out = wait_by(by_token("h"), "a");
  const auto also_asked = wait_by(vouched(), "b");
  access.records.clear();
  review.listening(desk, access);
  CHECK(reason_of(out) == "kicked");
  CHECK(also_asked->count() == 0);
}

TEST_CASE_FIXTURE(Reviewing, "a new look at all polls ends the one before") {
  for (int i = 0; i < 300; ++i) wait_by(vouched("user" + std::to_string(i)));
  review.listening(desk, access);
  review.listening(desk, access);
  CHECK(access.looked_at == 400);
  clock.pass(20);
  run_timers();
  CHECK(access.looked_at == 500);
}

}  // namespace
}  // namespace letterbox::test
