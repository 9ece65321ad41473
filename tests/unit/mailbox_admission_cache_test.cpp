// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>

#include "mailbox/admission_cache.h"
#include "tests/unit/fake_access.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_store.h"

namespace letterbox::test {
namespace {

constexpr uint64_t kMinute = 60'000;

struct Caching {
  explicit Caching(size_t most = AdmissionCache::kMost) : cache(clock, most) { cache.open(); }

  AdmissionPtr find(const Claim& claim) {
    stale = false;
    return cache.find(claim.key(), stale);
  }
  // Asks, and leaves it to the test when that is answered.
  std::shared_ptr<std::optional<Or<AdmissionPtr>>> ask(const Claim& claim) {
    auto outcome = std::make_shared<std::optional<Or<AdmissionPtr>>>();
    cache.ask(access, claim, "192.0.2.1",
              [outcome](const Or<AdmissionPtr>& answer) { *outcome = answer; });
    return outcome;
  }
  void let_in(const Claim& claim) {
    const auto outcome = ask(claim);
    access.answer_admit();
    REQUIRE(outcome->has_value());
    REQUIRE(**outcome);
  }

  FakeClock clock;
  FakeAccess access{clock};
  AdmissionCache cache;
  bool stale = false;
};

TEST_CASE_FIXTURE(Caching, "whoever was found good is known from then on") {
  access.hand_out("h");
  CHECK_FALSE(find(by_token("h")));
  const auto outcome = ask(by_token("h"));
  CHECK(access.admits.front().address == "192.0.2.1");
  CHECK_FALSE(find(by_token("h")));
  access.answer_admit();
  CHECK(outcome->value().value()->claim.hash == "h");
  REQUIRE(find(by_token("h")));
  CHECK(find(by_token("h"))->claim.user == "alice");
  CHECK_FALSE(stale);
  CHECK_FALSE(find(by_token("other")));
  CHECK_FALSE(find(vouched()));
}

TEST_CASE_FIXTURE(Caching, "whoever is refused, or could not be asked about, is not known") {
  const auto refused = ask(by_token("h"));
  access.answer_admit();
  CHECK(refused->value().error().code == Code::bad_token);
  CHECK_FALSE(find(by_token("h")));
  const auto unasked = ask(vouched());
  access.answer_admit(away());
  CHECK(unasked->value().error() == away());
  CHECK_FALSE(find(vouched()));
}

TEST_CASE_FIXTURE(Caching,
                  "a notice about a user has all be forgotten that was known of that user") {
  access.hand_out("h");
  let_in(by_token("h"));
  let_in(vouched());
  let_in(vouched("bob"));
  cache.forget("alice");
  CHECK_FALSE(find(by_token("h")));
  CHECK_FALSE(find(vouched()));
  CHECK(find(vouched("bob")));
  let_in(vouched());
  CHECK(find(vouched()));
}

TEST_CASE_FIXTURE(Caching, "what was asked before a notice came is not remembered") {
  const auto outcome = ask(vouched());
  cache.forget("alice");
  access.answer_admit();
  CHECK(outcome->value());  // it was so when it was asked: entering the room has it looked at again
  CHECK_FALSE(find(vouched()));
}

TEST_CASE_FIXTURE(Caching, "what was asked while nothing was heard is not remembered") {
  const auto before = ask(vouched());
  cache.shut();
  const auto deaf = ask(vouched());
  access.answer_admit();
  CHECK_FALSE(find(vouched()));
  cache.open();
  access.answer_admit();
  CHECK(before->value());
  CHECK(deaf->value());
  CHECK_FALSE(find(vouched()));
}

TEST_CASE_FIXTURE(Caching,
                  "while nothing is heard nobody is known, nor afterwards who was before") {
  let_in(vouched());
  cache.shut();
  CHECK_FALSE(find(vouched()));
  let_in(vouched());
  CHECK_FALSE(find(vouched()));
  cache.open();
  CHECK_FALSE(find(vouched()));
  let_in(vouched());
  CHECK(find(vouched()));
}

TEST_CASE_FIXTURE(Caching, "nobody is known any more whose token has ended") {
  access.hand_out("h").expires_ms = clock.wall_ms() + 5000;
  let_in(by_token("h"));
  clock.pass(4999);
  CHECK(find(by_token("h")));
  clock.pass(1);
  CHECK_FALSE(find(by_token("h")));
}

TEST_CASE_FIXTURE(Caching, "after a minute one of those that come is to ask anew, and no other") {
  let_in(vouched());
  clock.pass(kMinute - 1);
  CHECK(find(vouched()));
  CHECK_FALSE(stale);
  clock.pass(1);
  CHECK(find(vouched()));
  CHECK(stale);
  CHECK(find(vouched()));
  CHECK_FALSE(stale);
  clock.pass(kMinute);
  CHECK(find(vouched()));
  CHECK(stale);
}

TEST_CASE("of more users than are remembered those stay who were here lately") {
  Caching caching(3 * AdmissionCache::kEach);
  for (const auto user : {"a", "b", "c"}) caching.let_in(vouched(user));
  caching.let_in(vouched("d"));
  CHECK(caching.find(vouched("a")));  // moves to the newer ones
  for (const auto user : {"e", "f"}) caching.let_in(vouched(user));
  for (const auto user : {"a", "d", "e", "f"}) CHECK(caching.find(vouched(user)));
  for (const auto user : {"b", "c"}) CHECK_FALSE(caching.find(vouched(user)));
}

TEST_CASE("what back ends attach to tokens counts by its length") {
  Caching caching(20 * AdmissionCache::kEach);
  const std::string data = '"' + std::string(4000, 'x') + '"';
  for (const std::string hash : {"a", "b", "c", "d", "e", "f"}) {
    caching.access.hand_out(hash);
    caching.access.records[hash].data = data;
    caching.let_in(by_token(hash));
  }
  CHECK_FALSE(caching.find(by_token("a")));
  CHECK(caching.find(by_token("f")));
}

TEST_CASE_FIXTURE(Caching,
                  "after ten thousand users with a notice nobody is known, and all goes on") {
  let_in(vouched("carol"));
  for (int i = 0; i < 10'000; ++i) cache.forget("user" + std::to_string(i));
  CHECK(find(vouched("carol")));
  cache.forget("user10000");
  CHECK_FALSE(find(vouched("carol")));
  let_in(vouched("carol"));
  CHECK(find(vouched("carol")));
  cache.forget("carol");
  CHECK_FALSE(find(vouched("carol")));
}

}  // namespace
}  // namespace letterbox::test
