// SPDX-License-Identifier: MIT
//
// Stores, accesses and the like in a cluster: calls that concern a user, or several.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "mailbox/parted_access.h"
#include "mailbox/parted_eraser.h"
#include "mailbox/parted_idempotency.h"
#include "mailbox/parted_store.h"
#include "tests/unit/fake_access.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_eraser.h"
#include "tests/unit/fake_idempotency.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/parts_of.h"

namespace letterbox::test {
namespace {

constexpr size_t kParts = 4;

struct Storing {
  Fakes<FakeStore> fakes{kParts};
  PartedStore store{fakes.as<Store>()};

  static Pushed pushed(uint64_t number) { return {.id = {1, number}}; }
};

TEST_CASE_FIXTURE(Storing, "a message for many users is one call a part, answered in their order") {
  const std::vector<std::string> names{name_in(2, kParts, 0), name_in(0, kParts, 0),
                                       name_in(2, kParts, 1), name_in(0, kParts, 1)};
  const std::vector<std::string_view> users(names.begin(), names.end());
  std::vector<std::vector<Or<Pushed>>> told;
  store.push_each(users, "0 {}", {.record = "r", .collapse = "c"},
                  [&](const auto& outcomes) { told.push_back(outcomes); });
  CHECK(fakes[0].push_calls == 1);
  CHECK(fakes[1].push_calls == 0);
  CHECK(fakes[2].push_calls == 1);
  CHECK(fakes[2].pushes[0].user == names[0]);
  CHECK(fakes[2].pushes[1].user == names[2]);
  CHECK(fakes[2].pushes[1].element == "0 {}");
  CHECK(fakes[2].pushes[1].options.record == "r");
  CHECK(fakes[2].pushes[1].options.collapse == "c");
  fakes[2].pushes[0].then(pushed(1));
  fakes[2].pushes[1].then(away());
  fakes[0].pushes[0].then(pushed(2));
  CHECK(told.empty());
  fakes[0].pushes[1].then(pushed(4));
  REQUIRE(told.size() == 1);
  REQUIRE(told[0].size() == 4);
  CHECK(told[0][0]->id.seq == 1);
  CHECK(told[0][1]->id.seq == 2);
  CHECK(told[0][2].error() == away());
  CHECK(told[0][3]->id.seq == 4);
}

TEST_CASE_FIXTURE(Storing, "a message for users of one part is one call") {
  const std::vector<std::string> names{name_in(3, kParts, 0), name_in(3, kParts, 1)};
  const std::vector<std::string_view> users(names.begin(), names.end());
  store.push_each(users, "0 {}", {}, [](const auto&) {});
  CHECK(fakes[3].push_calls == 1);
  CHECK(fakes[3].pushes.size() == 2);
}

struct Peeking : Storing {
  const std::string here = name_in(1, kParts, 0);
  const std::string there = name_in(3, kParts, 0);
  std::vector<Store::Parked> clients{{here, "a"}, {there, "b"}, {here, "c"}};
  std::vector<Or<Store::Glimpses>> told;

  Peeking() {
    store.peek(clients, true, [this](const auto& seen) { told.push_back(seen); });
    REQUIRE(fakes[1].peeks.size() == 1);
    REQUIRE(fakes[3].peeks.size() == 1);
    CHECK(fakes[1].peeks[0].lists);
    CHECK(fakes[1].peeks[0].clients == decltype(Peek::clients){{here, "a"}, {here, "c"}});
  }
  using Peek = FakeStore::Peek;
  static Glimpse glimpse(uint64_t newest) {
    Glimpse seen;
    seen.newest = {1, newest};
    return seen;
  }
};

TEST_CASE_FIXTURE(Peeking, "clients of several parts are glimpsed in the order given") {
  fakes[3].peeks[0].then(Store::Glimpses{glimpse(2)});
  fakes[1].peeks[0].then(Store::Glimpses{glimpse(1), std::nullopt});
  REQUIRE(told.size() == 1);
  REQUIRE(told[0]->size() == 3);
  CHECK((*told[0])[0]->newest.seq == 1);
  CHECK((*told[0])[1]->newest.seq == 2);
  CHECK_FALSE((*told[0])[2]);
}

TEST_CASE_FIXTURE(Peeking, "a part that is away holds up no look at the others") {
  fakes[3].peeks[0].then(away());
  fakes[1].peeks[0].then(Store::Glimpses{glimpse(1), glimpse(3)});
  REQUIRE(told.size() == 1);
  REQUIRE(told[0]);
  REQUIRE(told[0]->size() == 3);
  CHECK_FALSE((*told[0])[1]);
  CHECK((*told[0])[2]->newest.seq == 3);
}

TEST_CASE_FIXTURE(Peeking, "if every part is away, so is the whole") {
  fakes[3].peeks[0].then(away());
  fakes[1].peeks[0].then(away());
  REQUIRE(told.size() == 1);
  CHECK(told[0].error() == away());
}

TEST_CASE_FIXTURE(Storing, "what concerns one user is asked of the user's part") {
  const std::string user = name_in(2, kParts);
  ReadRequest request;
  request.user = user;
  request.limit = 5;
  store.read(request, [](const auto&) {});
  store.acknowledge(user, "tab", {1, 2}, 7, [](const auto&) {});
  store.view(user, {}, [](const auto&) {});
  store.unread(user, "tab", [](const auto&) {});
  store.retract(user, {1, 2}, [](const auto&) {});
  store.remove(user, [](const auto&) {});
  store.adopt(user, "raw", [](const auto&) {});
  store.adopt_all(user, [](const auto&) {});
  FakeStore& its = fakes[2];
  CHECK(its.reads.size() == 1);
  CHECK(its.acks.size() == 1);
  CHECK(its.views.size() == 1);
  CHECK(its.unreads.size() == 1);
  CHECK(its.retractions.size() == 1);
  CHECK(its.removals.size() == 1);
  CHECK(its.adoptions.size() == 1);
  CHECK(its.adoptions_of_all.size() == 1);
}

struct Admitting {
  FakeClock clock;
  Fakes<FakeAccess> fakes{kParts, clock};
  PartedAccess access{fakes.as<Access>()};
  const std::vector<std::string> users{name_in(0, kParts), name_in(1, kParts),
                                       name_in(0, kParts, 1)};

  Or<bool> any_stands() {
    Or<bool> answer = false;
    access.any_stands(users, [&](const Or<bool>& any) { answer = any; });
    return answer;
  }
};

TEST_CASE_FIXTURE(Admitting, "whether any user has a standing is asked of the users' parts") {
  CHECK_FALSE(any_stands().value());
  CHECK(fakes[0].looked_at == 2);
  CHECK(fakes[1].looked_at == 1);
  CHECK(fakes[2].looked_at == 0);
  fakes[1].lock_out(users[1]);
  CHECK(any_stands().value());
}

TEST_CASE_FIXTURE(Admitting, "a user may stand in a part that is away, if another part answers") {
  fakes[1].is_away = true;
  CHECK(any_stands().value());
  fakes[0].is_away = true;
  CHECK(any_stands().error().code == Code::store_unavailable);
}

TEST_CASE_FIXTURE(Admitting, "a claim, a token and a standing are in the user's part") {
  const std::string user = name_in(3, kParts);
  FakeAccess& its = fakes[3];
  access.admit(vouched(user), "", [](const auto&) {});
  access.admit(by_token("hash", user), "", [](const auto&) {});
  access.issue(user, "hash", {}, 5, [](const auto&) {});
  access.tokens(user, [](const auto&) {});
  access.revoke(user, "", [](const auto&) {});
  access.standing(user, [](const auto&) {});
  access.lock(user, "", [](const auto&) {});
  access.unlock(user, [](const auto&) {});
  access.kick(user, "", 0, [](const auto&) {});
  CHECK(its.admits.size() == 2);
  CHECK(its.issues.size() == 1);
  CHECK(its.lists.size() == 1);
  CHECK(its.revocations.size() == 1);
  CHECK(its.standings_asked.size() == 1);
  CHECK(its.locks.size() == 1);
  CHECK(its.unlocks.size() == 1);
  CHECK(its.kicks.size() == 1);
}

TEST_CASE("a user is erased in the user's part") {
  Fakes<FakeEraser> fakes(kParts);
  PartedEraser eraser(fakes.as<Eraser>());
  eraser.erase(name_in(1, kParts), [](const auto&) {});
  CHECK(fakes[1].asked.size() == 1);
}

TEST_CASE("an Idempotency-Key is known in one part, where its answer is kept") {
  Fakes<FakeIdempotencyKeys> fakes(kParts);
  PartedIdempotencyKeys keys(fakes.as<IdempotencyKeys>());
  const auto use = KeyUse::of("key", {"content"});
  keys.claim(use, [](const auto&) {});
  keys.keep(use, {200, "body"});
  const size_t part = part_of(use.key, kParts);
  REQUIRE(fakes[part].used.size() == 1);
  CHECK(fakes[part].used[use.key].kept->body == "body");
}

}  // namespace
}  // namespace letterbox::test
