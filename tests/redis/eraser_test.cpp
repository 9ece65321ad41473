// SPDX-License-Identifier: MIT
//
// A user is erased from a real Redis.
#include "mailbox/eraser.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "mailbox/groups.h"
#include "mailbox/redis_access.h"
#include "mailbox/redis_presence.h"
#include "tests/redis/mailboxes.h"
#include "tests/unit/fake_access.h"

namespace letterbox::test {
namespace {

constexpr uint64_t kHour = 3'600'000;
using Strings = std::vector<std::string>;

struct Erasing : Mailboxes {
  Or<Erased> try_erase(std::string_view user = "alice") {
    return worker.await<Or<Erased>>([&](const auto& then) { eraser.erase(user, then); });
  }
  Erased erase(std::string_view user = "alice") { return try_erase(user).value(); }

  template <class T, class Begin>
  T ask(Begin begin) {
    return worker.await<Or<T>>(begin).value();
  }
  void issue(const std::string& hash, uint64_t life = kHour) {
    Token token;
    token.id = "alice." + hash;
    token.created_ms = clock.wall_ms();
    token.expires_ms = clock.wall_ms() + life;
    ask<bool>([&](const auto& then) { access.issue("alice", hash, token, 10, then); });
  }
  Or<Admission> admit(const Claim& claim) {
    return worker.await<Or<Admission>>([&](const auto& then) { access.admit(claim, "", then); });
  }
  void lock() {
    ask<bool>([&](const auto& then) { access.lock("alice", "unpaid", then); });
  }
  void be_online(std::string_view user, uint64_t until) {
    const PresentClient client{"tab", clock.wall_ms(), until, "192.0.2.1", "agent"};
    const std::vector<PresenceStore::Note> notes{{std::string(user), client}};
    ask<bool>([&](const auto& then) { presence.note(notes, then); });
  }
  void put(std::string_view group, Strings users) {
    ask<GroupChange>([&](const auto& then) { groups.put(group, users, false, then); });
  }
  Strings groups_of(std::string_view user) {
    return ask<Strings>([&](const auto& then) { groups.groups_of(user, then); });
  }
  size_t notices() { return worker.ask({"XRANGE", shared_keys(0).notices, "-", "+"}).items.size(); }
  Strings events() { return worker.ask({"LRANGE", shared_keys(0).events, "0", "-1"}).texts(); }
  // The keys that are the user's alone.
  Strings keys_of(const std::string& user) {
    Strings found = worker.ask({"KEYS", "*" + key_of("", user)}).texts();
    std::sort(found.begin(), found.end());
    return found;
  }

  const PresenceRules rules{.events = true, .events_kept = 3};
  Log log{"test", silence(), Log::Level::info};
  RedisAccess access{worker.redis, clock, kHour};
  RedisGroups groups{worker.redis, clock, 2000};
  RedisPresence presence{worker.redis, clock, log, rules, "sweeper"};
  RedisEraser eraser{worker.redis, worker.store, clock, kHour, rules};
};

TEST_CASE_FIXTURE(Erasing, "a user is erased with all there is, and it is said what that was") {
  push_many(3);
  issue("1");
  issue("2");
  issue("over", 1);
  lock();
  be_online("alice", in(60'000));
  put("team", {"alice", "bob"});
  put("sea", {"alice"});
  worker.ask({"HSET", scheduled_key("alice"), "alice.1", "5|x", "alice.2", "6|x", "", "6"});
  worker.ask({"ZADD", shared_keys(0).schedule, "5", "alice.1", "6", "alice.2", "7", "bob.1"});
  worker.ask({"HSET", collapse_key("alice"), "key", "1"});
  clock.pass(1);

  const Erased erased = erase();
  CHECK(erased.messages == 3);
  CHECK(erased.tokens == 2);
  CHECK(erased.scheduled == 2);
  CHECK(erased.groups == Strings{"sea", "team"});
  CHECK(erased.standing);
  CHECK(erased.presence);
  // What is left says only that signed tokens of before are invalid, and that the next epoch is
  // another one.
  CHECK(keys_of("alice") == Strings{MailboxKeys("alice").base, standing_key("alice")});
  CHECK(worker.ask({"HGETALL", standing_key("alice")}).texts() ==
        Strings{"revoked", std::to_string(clock.wall_ms())});
  for (const auto& key : keys_of("alice")) CHECK(worker.ask({"PTTL", key}).integer > 0);
  CHECK(worker.ask({"ZRANGE", shared_keys(0).schedule, "0", "-1"}).texts() == Strings{"bob.1"});
  CHECK(worker.ask({"ZSCORE", shared_keys(0).online, "alice"}).nil);
  CHECK(worker.ask({"ZSCORE", shared_keys(0).names, "alice"}).nil);
  CHECK(groups_of("bob") == Strings{"team"});
  CHECK(worker.ask({"ZRANGE", shared_keys(0).groups, "0", "-1"}).texts() == Strings{"team"});
  CHECK(read_after(0).count == 0);

  const Erased again = erase();
  CHECK(again.messages + again.tokens + again.scheduled + again.groups.size() == 0);
  CHECK_FALSE(again.standing);
  CHECK_FALSE(again.presence);
}

TEST_CASE_FIXTURE(Erasing,
                  "tokens of an erased user are invalid, signed ones too, and all are told") {
  issue("1");
  const Claim signed_before{.proof = Claim::Proof::signed_,
                            .user = "alice",
                            .hash = "s",
                            .issued_ms = clock.wall_ms(),
                            .expires_ms = in(kHour)};
  REQUIRE(admit(by_token("1")));
  REQUIRE(admit(signed_before));
  erase();
  CHECK(notices() == 1);
  CHECK(admit(by_token("1")).error().code == Code::bad_token);
  CHECK(admit(signed_before).error().code == Code::bad_token);
  clock.pass(1);
  issue("2");
  CHECK(admit(by_token("2")));
}

TEST_CASE_FIXTURE(Erasing, "an erased user who was online has left, once") {
  be_online("alice", in(60'000));
  const std::string at = std::to_string(clock.wall_ms());
  CHECK(erase().presence);
  CHECK_FALSE(erase().presence);
  CHECK(events() == Strings{"online " + at + " alice", "offline " + at + " alice"});
  SUBCASE("its time was over, but not swept yet") {
    be_online("bob", in(1000));
    clock.pass(5000);
    CHECK_FALSE(erase("bob").presence);
    CHECK(events().back() == "offline " + std::to_string(clock.wall_ms() - 4000) + " bob");
    CHECK(events().size() == 3);  // as many as are kept
  }
}

TEST_CASE_FIXTURE(Erasing, "a user is erased from groups that were filled by hand") {
  worker.ask({"ZADD", group_key("old", 0), "0", "alice", "0", "bob"});
  put("team", {"bob"});
  worker.ask({"ZADD", group_key("team", 0), "0", "alice"});
  CHECK(erase().groups == Strings{"old", "team"});
  CHECK(worker.ask({"ZRANGE", group_key("old", 0), "0", "-1"}).texts() == Strings{"bob"});
}

TEST_CASE_FIXTURE(Erasing, "a user is erased from however many groups there are") {
  for (int i = 0; i < 600; ++i) put("g" + std::to_string(i), {"alice"});
  worker.ask({"SET", group_key("g7", 0), "no group"});
  CHECK(erase().groups.size() == 599);
  CHECK(worker.ask({"EXISTS", groups_key("alice")}).integer == 0);
}

TEST_CASE_FIXTURE(Erasing, "a user is erased whatever its keys hold") {
  for (const std::string& key :
       {tokens_key("alice"), standing_key("alice"), presence_key("alice"), scheduled_key("alice"),
        collapse_key("alice"), groups_key("alice"), MailboxKeys("alice").unacked,
        MailboxKeys("alice").base, clients_key("alice"), mailbox_key("alice")}) {
    worker.ask({"SET", key, "x"});
  }
  const Erased erased = erase();
  CHECK(erased.standing);
  CHECK(erased.messages == 0);
  CHECK(keys_of("alice") == Strings{MailboxKeys("alice").base, standing_key("alice")});
  CHECK(worker.downs == 0);
  CHECK(push().queued == 1);
}

TEST_CASE_FIXTURE(Erasing, "if the programs can't be told, no user is erased") {
  push_many(1);
  issue("1");
  worker.ask({"SET", shared_keys(0).notices, "x"});
  CHECK(try_erase().error().code == Code::store_unavailable);
  CHECK(admit(by_token("1")));
  CHECK(read_after(0).count == 1);
}

TEST_CASE("while Redis is away nobody is said to be erased") {
  RedisServer server;
  FakeClock clock;
  RedisWorker worker{server.login(), clock};
  REQUIRE(worker.comes_up());
  RedisEraser eraser{worker.redis, worker.store, clock, kHour, {}};
  server.stop();
  CHECK(worker.await<Or<Erased>>([&](const auto& then) { eraser.erase("alice", then); })
            .error()
            .code == Code::store_unavailable);
}

}  // namespace
}  // namespace letterbox::test
