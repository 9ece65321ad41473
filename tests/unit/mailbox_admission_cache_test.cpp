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
  // Asks, and lets the test say when that is answered.
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

TEST_CASE_FIXTURE(Caching, "an admission that was granted is cached from then on") {
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

TEST_CASE_FIXTURE(Caching, "a refusal is not cached, nor a claim that could not be asked about") {
  const auto refused = ask(by_token("h"));
  access.answer_admit();
  CHECK(refused->value().error().code == Code::bad_token);
  CHECK_FALSE(find(by_token("h")));
  const auto unasked = ask(vouched());
  access.answer_admit(away());
  CHECK(unasked->value().error() == away());
  CHECK_FALSE(find(vouched()));
}

TEST_CASE_FIXTURE(Caching, "a notice about a user drops all cached admissions of that user") {
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

TEST_CASE_FIXTURE(Caching, "an answer is not cached if a notice came after the question") {
  const auto outcome = ask(vouched());
  cache.forget("alice");
  access.answer_admit();
  CHECK(outcome->value());  // true at the time of the question; the claim is looked at again on
                            // entering the room
  CHECK_FALSE(find(vouched()));
}

TEST_CASE_FIXTURE(Caching, "an answer is not cached if no notices were heard at the question") {
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

TEST_CASE_FIXTURE(
    Caching,
    "while no notices are heard nothing is cached, and what was cached before is dropped") {
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

TEST_CASE_FIXTURE(Caching, "an admission is not found after its token has ended") {
  access.hand_out("h").expires_ms = clock.wall_ms() + 5000;
  let_in(by_token("h"));
  clock.pass(4999);
  CHECK(find(by_token("h")));
  clock.pass(1);
  CHECK_FALSE(find(by_token("h")));
}

TEST_CASE_FIXTURE(Caching, "after a minute one of the callers is to ask again, and no other") {
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

TEST_CASE_FIXTURE(Caching,
                  "a request by a sliding token asks again in each quarter of the token's life") {
  Token& token = access.hand_out("h");
  token.slide_ms = 40'000;
  let_in(by_token("h"));
  clock.pass(9999);
  CHECK(find(by_token("h")));
  CHECK_FALSE(stale);
  clock.pass(1);
  CHECK(find(by_token("h")));
  CHECK(stale);
  CHECK(find(by_token("h")));
  CHECK_FALSE(stale);
  token.slide_ms = 3'600'000;
  let_in(by_token("h"));
  clock.pass(kMinute - 1);
  CHECK(find(by_token("h")));
  CHECK_FALSE(stale);
  clock.pass(1);
  CHECK(find(by_token("h")));
  CHECK(stale);
}

TEST_CASE("if there are more users than the cache holds, those used last stay") {
  Caching caching(3 * AdmissionCache::kEach);
  for (const auto user : {"a", "b", "c"}) caching.let_in(vouched(user));
  caching.let_in(vouched("d"));
  CHECK(caching.find(vouched("a")));  // moves to the newer ones
  for (const auto user : {"e", "f"}) caching.let_in(vouched(user));
  for (const auto user : {"a", "d", "e", "f"}) CHECK(caching.find(vouched(user)));
  for (const auto user : {"b", "c"}) CHECK_FALSE(caching.find(vouched(user)));
}

TEST_CASE("the data that back ends attach to tokens counts by its length") {
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
                  "after notices about ten thousand users the cache is empty, and works on") {
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
