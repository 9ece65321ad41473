// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

#include "mailbox/admission_cache.h"
#include "tests/unit/fake_access.h"
#include "tests/unit/fake_waiting.h"
#include "waiting/review.h"

namespace letterbox::test {
namespace {

struct Reviewing : FakeWaiting {
  Reviewing() { review.listening(desk, access); }

  // Waits in the room, let in by that claim.
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

TEST_CASE_FIXTURE(Reviewing, "a notice ends the polls of who is no longer good, and no others") {
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

TEST_CASE_FIXTURE(Reviewing, "each claim is looked at once, without noting that it was used") {
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
                  "where Redis is away everybody stays, and is looked at when it is back") {
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

TEST_CASE_FIXTURE(Reviewing, "whoever has left when the answer comes is nobody's concern") {
  const auto heard = wait_by(vouched());
  access.lock_out("alice");
  notice();
  heard->leave();
  access.answer_admit();
  CHECK(heard->count() == 0);
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(Reviewing, "when notices are heard again everybody is looked at, in portions") {
  for (int i = 0; i < 450; ++i) wait_by(vouched("user" + std::to_string(i)));
  access.at_once = true;
  review.listening(desk, access);
  CHECK(access.asked == 200);
  clock.pass(20);
  run_timers();
  CHECK(access.asked == 400);
}

TEST_CASE_FIXTURE(Reviewing, "a new look at everybody ends the one before") {
  for (int i = 0; i < 300; ++i) wait_by(vouched("user" + std::to_string(i)));
  access.at_once = true;
  review.listening(desk, access);
  review.listening(desk, access);
  CHECK(access.asked == 400);
  clock.pass(20);
  run_timers();
  CHECK(access.asked == 500);
}

}  // namespace
}  // namespace letterbox::test
