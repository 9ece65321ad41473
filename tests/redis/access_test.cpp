// SPDX-License-Identifier: MIT
//
// Tokens, locks and kicks in a real Redis.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "mailbox/keys.h"
#include "mailbox/redis_access.h"
#include "tests/redis/print.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/redis_worker.h"
#include "tests/unit/fake_clock.h"

namespace letterbox::test {
namespace {

constexpr uint64_t kHour = 3'600'000;
constexpr uint64_t kSignedLife = 10 * kHour;
constexpr size_t kMost = 3;

Claim vouched(std::string user = "alice") { return {.user = std::move(user)}; }
Claim by_token(std::string hash, std::string user = "alice") {
  return {.proof = Claim::Proof::token, .user = std::move(user), .hash = std::move(hash)};
}

struct Accesses {
  explicit Accesses(RedisServer& its_server = RedisServer::shared()) : server(its_server) {
    REQUIRE(worker.comes_up());
    REQUIRE(worker.ask({"FLUSHALL"}).ok());
  }

  Or<Admission> admit(const Claim& claim, std::string_view address = "") {
    return worker.await<Or<Admission>>(
        [&](const auto& then) { access.admit(claim, address, then); });
  }
  Code refusal(const Claim& claim) {
    const auto admission = admit(claim);
    REQUIRE_FALSE(admission);
    return admission.error().code;
  }
  Claim signed_at(uint64_t issued) const {
    return {.proof = Claim::Proof::signed_,
            .user = "alice",
            .hash = "s",
            .issued_ms = issued,
            .expires_ms = clock.wall_ms() + kHour};
  }

  Or<bool> try_issue(const std::string& hash, uint64_t life = kHour, Token token = {}) {
    token.id = "alice." + hash;
    token.created_ms = clock.wall_ms();
    token.expires_ms = clock.wall_ms() + life;
    return worker.await<Or<bool>>(
        [&](const auto& then) { access.issue("alice", hash, token, kMost, then); });
  }
  // A token of alice's. Waits a millisecond first, so that each token has a time of its own.
  void issue(const std::string& hash, uint64_t life = kHour, Token token = {}) {
    REQUIRE(try_issue(hash, life, std::move(token)));
    clock.pass(1);
  }
  Or<std::vector<Token>> tokens() {
    return worker.await<Or<std::vector<Token>>>(
        [&](const auto& then) { access.tokens("alice", then); });
  }
  std::vector<std::string> ids() {
    std::vector<std::string> ids;
    const auto listed = tokens();
    for (const Token& token : listed.value()) ids.push_back(token.id);
    return ids;
  }
  Or<uint64_t> revoke(std::string_view id = "") {
    return worker.await<Or<uint64_t>>([&](const auto& then) { access.revoke("alice", id, then); });
  }

  Or<Standing> standing() {
    return worker.await<Or<Standing>>([&](const auto& then) { access.standing("alice", then); });
  }
  Or<bool> lock(std::string_view reason = "") {
    return worker.await<Or<bool>>([&](const auto& then) { access.lock("alice", reason, then); });
  }
  Or<bool> unlock() {
    return worker.await<Or<bool>>([&](const auto& then) { access.unlock("alice", then); });
  }
  Or<bool> kick(uint64_t for_ms = 1000, std::string_view reason = "") {
    return worker.await<Or<bool>>(
        [&](const auto& then) { access.kick("alice", reason, for_ms, then); });
  }

  // "NUMBER USER" of each notice.
  std::vector<std::string> notices() {
    std::vector<std::string> all;
    for (const Value& entry : worker.ask({"XRANGE", shared_keys(0).notices, "-", "+"}).items) {
      const auto fields = entry.items.at(1).texts();
      all.push_back(fields.at(1) + " " + fields.at(3));
    }
    return all;
  }
  using Notices = std::vector<std::string>;
  // Whether a key ends after about that time.
  bool ends_in(const std::string& key, uint64_t ms) {
    const auto left = static_cast<uint64_t>(worker.ask({"PTTL", key}).integer);
    return left <= ms && left > ms - 300'000;
  }

  const std::string tokens_kept = tokens_key("alice");
  const std::string standing_kept = standing_key("alice");
  RedisServer& server;
  FakeClock clock;
  RedisWorker worker{server.login(), clock};
  RedisAccess access{worker.redis, clock, kSignedLife};
};

TEST_CASE_FIXTURE(Accesses, "one question tells whether any of many users has a standing") {
  const std::vector<std::string> users{"bob", "alice", "carol"};
  const auto any = [&] {
    return worker.await<Or<bool>>([&](const auto& then) { access.any_stands(users, then); });
  };
  issue("1");
  CHECK_FALSE(any().value());
  lock().value();
  CHECK(any().value());
  unlock().value();
  revoke().value();
  CHECK(any().value());
}

// --- tokens ------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Accesses, "a token lets its user in, with all that the request for it said") {
  Token token;
  token.client = "tab";
  token.data = R"({"a b":[" ",null],"c":"\n"})";
  issue("1", kHour, token);
  const auto admission = admit(by_token("1"));
  REQUIRE(admission);
  CHECK(admission->claim.user == "alice");
  CHECK(admission->client == "tab");
  CHECK(admission->data == token.data);
  CHECK(admission->expires_ms == clock.wall_ms() - 1 + kHour);
}

TEST_CASE_FIXTURE(Accesses,
                  "a token that was never issued, or is another user's, admits no client") {
  issue("1");
  CHECK(refusal(by_token("2")) == Code::bad_token);
  CHECK(refusal(by_token("1", "bob")) == Code::bad_token);
  CHECK(refusal(by_token("", "alice")) == Code::bad_token);
}

TEST_CASE_FIXTURE(Accesses, "asking about an unknown user leaves nothing behind") {
  CHECK(admit(vouched(), "192.0.2.1"));
  CHECK_FALSE(admit(by_token("1"), "192.0.2.1"));
  CHECK(worker.ask({"DBSIZE"}).integer == 0);
}

TEST_CASE_FIXTURE(Accesses,
                  "tokens are listed as they were made, with when and from where each was used") {
  Token token;
  token.client = "tab";
  token.data = "[1, 2]";
  issue("z");
  issue("a", 2 * kHour, token);
  const uint64_t now = clock.wall_ms();
  REQUIRE(admit(by_token("a"), "192.0.2.1"));
  clock.pass(1000);
  REQUIRE(admit(by_token("a")));  // a look does not count as use
  const auto listed = tokens();
  REQUIRE(listed);
  REQUIRE(listed->size() == 2);
  CHECK(listed->front().id == "alice.z");
  CHECK(listed->front().created_ms == now - 2);
  CHECK(listed->front().expires_ms == now - 2 + kHour);
  CHECK(listed->front().used_ms == 0);
  CHECK(listed->front().client.empty());
  CHECK(listed->front().address.empty());
  CHECK(listed->front().data.empty());
  CHECK(listed->back().id == "alice.a");
  CHECK(listed->back().used_ms == now);
  CHECK(listed->back().address == "192.0.2.1");
  CHECK(listed->back().client == "tab");
  CHECK(listed->back().data == "[1, 2]");
  REQUIRE(admit(by_token("a"), "2001:db8::1"));
  CHECK(tokens()->back().used_ms == now + 1000);
  CHECK(tokens()->back().address == "2001:db8::1");
}

TEST_CASE_FIXTURE(Accesses, "a user without tokens has an empty list") { CHECK(tokens()->empty()); }

TEST_CASE_FIXTURE(Accesses,
                  "a token that has ended admits no client, is not listed, and is removed") {
  issue("1", 1000);
  issue("2");
  clock.pass(997);
  CHECK(admit(by_token("1")));
  clock.pass(1);
  CHECK(ids() == std::vector<std::string>{"alice.2"});
  CHECK(worker.ask({"HLEN", tokens_kept}).integer == 2);
  CHECK(refusal(by_token("1")) == Code::bad_token);
  CHECK(worker.ask({"HLEN", tokens_kept}).integer == 1);
}

TEST_CASE_FIXTURE(Accesses, "a new token clears away those that have ended, without a notice") {
  issue("1", 1000);
  issue("2", 1000);
  issue("3");
  clock.pass(1000);
  issue("4");
  CHECK(worker.ask({"HKEYS", tokens_kept}).texts().size() == 2);
  CHECK(ids() == std::vector<std::string>{"alice.3", "alice.4"});
  CHECK(notices().empty());
}

TEST_CASE_FIXTURE(Accesses,
                  "a token above the limit removes the oldest, and every program is told") {
  for (const auto hash : {"9", "1", "5"}) issue(hash);
  CHECK(notices().empty());
  issue("0");
  CHECK(ids() == std::vector<std::string>{"alice.1", "alice.5", "alice.0"});
  CHECK(refusal(by_token("9")) == Code::bad_token);
  CHECK(notices() == Notices{"1 alice"});
}

TEST_CASE_FIXTURE(Accesses, "a user's tokens are kept until the last of them ends") {
  issue("1", 2 * kHour);
  CHECK(ends_in(tokens_kept, 2 * kHour));
  issue("2", kHour);
  CHECK(ends_in(tokens_kept, 2 * kHour));
  issue("3", 3 * kHour);
  CHECK(ends_in(tokens_kept, 3 * kHour));
}

TEST_CASE_FIXTURE(Accesses, "one token is revoked by its id, and every program is told") {
  issue("1");
  issue("2");
  CHECK(revoke("alice.1").value() == 1);
  CHECK(refusal(by_token("1")) == Code::bad_token);
  CHECK(admit(by_token("2")));
  CHECK(admit(signed_at(clock.wall_ms())));
  CHECK(notices() == Notices{"1 alice"});
}

TEST_CASE_FIXTURE(Accesses, "an unknown id revokes nothing, and no program is told") {
  issue("1");
  for (const auto id : {"alice.2", "alice.", "alice", "1", "alice.1 ", "%S+"}) {
    CHECK(revoke(id).value() == 0);
  }
  CHECK(admit(by_token("1")));
  CHECK(notices().empty());
}

TEST_CASE_FIXTURE(Accesses, "all tokens are revoked, older signed ones among them") {
  issue("1");
  issue("2");
  const Claim before = signed_at(clock.wall_ms());
  CHECK(admit(before));
  CHECK(revoke().value() == 2);
  for (const Claim& claim : {by_token("1"), by_token("2"), before}) {
    CHECK(refusal(claim) == Code::bad_token);
  }
  CHECK(admit(vouched()));
  clock.pass(1);
  CHECK(admit(signed_at(clock.wall_ms())));
  issue("3");
  CHECK(admit(by_token("3")));
  CHECK(notices() == Notices{"1 alice"});
  CHECK(ends_in(standing_kept, kSignedLife));
}

// --- sliding tokens ----------------------------------------------------------------------------

TEST_CASE_FIXTURE(Accesses, "each use prolongs a sliding token to its life, and a look does not") {
  Token token;
  token.slide_ms = kHour;
  token.client = "tab";
  token.data = "{}";
  issue("1", kHour, token);
  issue("2", kHour);
  clock.pass(kHour / 2);
  const auto before = tokens()->front().expires_ms;
  CHECK(admit(by_token("1"))->expires_ms == before);
  const auto admission = admit(by_token("1"), "192.0.2.1");
  REQUIRE(admission);
  CHECK(admission->expires_ms == clock.wall_ms() + kHour);
  CHECK(admission->slide_ms == kHour);
  CHECK(admission->client == "tab");
  CHECK(admission->data == "{}");
  CHECK(admit(by_token("2"), "192.0.2.1")->slide_ms == 0);
  clock.pass(kHour - 1);
  CHECK(refusal(by_token("2")) == Code::bad_token);
  CHECK(admit(by_token("1"), "192.0.2.1")->expires_ms == clock.wall_ms() + kHour);
  CHECK(tokens()->front().slide_ms == kHour);
  clock.pass(kHour);
  CHECK(refusal(by_token("1")) == Code::bad_token);
}

TEST_CASE_FIXTURE(Accesses, "the key of tokens lives as long as a token that slides") {
  Token token;
  token.slide_ms = kHour;
  issue("1", kHour, token);
  worker.ask({"PEXPIRE", tokens_kept, "400000"});
  CHECK(ends_in(tokens_kept, 400'000));
  REQUIRE(admit(by_token("1"), "192.0.2.1"));
  CHECK(ends_in(tokens_kept, kHour));
  worker.ask({"PEXPIRE", tokens_kept, std::to_string(2 * kHour)});
  REQUIRE(admit(by_token("1"), "192.0.2.1"));
  CHECK(ends_in(tokens_kept, 2 * kHour));
}

TEST_CASE_FIXTURE(Accesses, "a user who is locked or was kicked prolongs no token") {
  Token token;
  token.slide_ms = kHour;
  issue("1", kHour, token);
  const auto before = tokens()->front().expires_ms;
  SUBCASE("locked") { REQUIRE(lock()); }
  SUBCASE("kicked") { REQUIRE(kick()); }
  SUBCASE("kicked at the moment when it was made") {
    worker.ask(
        {"HSET", standing_kept, "kicked", std::to_string(tokens()->front().created_ms) + " 0 "});
  }
  SUBCASE("kicked, nobody can say when") { worker.ask({"HSET", standing_kept, "kicked", "x"}); }
  clock.pass(1000);
  CHECK_FALSE(admit(by_token("1"), "192.0.2.1"));
  CHECK(tokens()->front().expires_ms == before);
}

TEST_CASE_FIXTURE(Accesses, "a user who was kicked before a sliding token was made prolongs it") {
  REQUIRE(kick());
  clock.pass(1);
  Token token;
  token.slide_ms = kHour;
  issue("1", kHour, token);
  clock.pass(1000);
  CHECK(admit(by_token("1"), "192.0.2.1")->expires_ms == clock.wall_ms() + kHour);
}

// --- locks and kicks ---------------------------------------------------------------------------

TEST_CASE_FIXTURE(Accesses, "a lock has no end, also if its user was kicked before") {
  CHECK(kick(60'000, "too loud").value());
  CHECK(worker.ask({"PTTL", standing_kept}).integer > 0);
  CHECK(lock("has not paid").value());
  CHECK(worker.ask({"PTTL", standing_kept}).integer == -1);
}

TEST_CASE_FIXTURE(Accesses, "a lock keeps its user out until it is removed, however long that is") {
  issue("1");
  CHECK(lock("has not paid, für März").value());
  const auto refused = admit(by_token("1"));
  CHECK(refused.error() == Error{Code::locked, "locked: has not paid, für März"});
  CHECK(refusal(vouched()) == Code::locked);
  CHECK(refusal(by_token("2")) == Code::bad_token);
  CHECK(admit(vouched("bob")));
  CHECK(standing()->locked->since_ms == clock.wall_ms());
  CHECK(standing()->locked->reason == "has not paid, für März");
  CHECK(worker.ask({"PTTL", standing_kept}).integer == -1);
  CHECK(unlock().value());
  CHECK(admit(by_token("1")));
  CHECK_FALSE(standing()->locked.has_value());
  CHECK(worker.ask({"EXISTS", standing_kept}).integer == 0);
  CHECK(notices() == Notices{"1 alice", "2 alice"});
}

TEST_CASE_FIXTURE(Accesses,
                  "unlocking a user who is not locked changes nothing, and no program is told") {
  CHECK_FALSE(unlock().value());
  CHECK(kick());
  CHECK_FALSE(unlock().value());
  CHECK(notices() == Notices{"1 alice"});
}

TEST_CASE_FIXTURE(Accesses,
                  "a kick ends all tokens of its user, and keeps the user out for its time") {
  issue("1");
  const Claim before = signed_at(clock.wall_ms());
  CHECK(kick(1000, "shouting, again").value());
  const auto refused = admit(by_token("1"));
  CHECK(refused.error() == Error{Code::kicked, "kicked: shouting, again"});
  CHECK(refusal(before) == Code::kicked);
  CHECK(refusal(vouched()) == Code::kicked);
  CHECK(standing()->kicked->at_ms == clock.wall_ms());
  CHECK(standing()->kicked->until_ms == clock.wall_ms() + 1000);
  CHECK(standing()->kicked->reason == "shouting, again");
  clock.pass(1);
  issue("2");
  CHECK(admit(by_token("2")));
  clock.pass(1000);
  CHECK(admit(vouched()));
  CHECK(refusal(by_token("1")) == Code::kicked);
  CHECK(refusal(before) == Code::kicked);
  CHECK(notices() == Notices{"1 alice"});
}

TEST_CASE_FIXTURE(Accesses,
                  "a kick is kept for as long as anything that it ended could have lived") {
  SUBCASE("a signed token") {
    CHECK(kick());
    CHECK(ends_in(standing_kept, kSignedLife));
  }
  SUBCASE("an issued token") {
    issue("1", 20 * kHour);
    CHECK(kick());
    CHECK(ends_in(standing_kept, 20 * kHour));
  }
  SUBCASE("the kick itself") {
    CHECK(kick(30 * kHour));
    CHECK(ends_in(standing_kept, 30 * kHour));
  }
  SUBCASE("a longer kick before it") {
    CHECK(revoke());
    CHECK(worker.ask({"PEXPIRE", standing_kept, std::to_string(40 * kHour)}).ok());
    CHECK(kick());
    CHECK(ends_in(standing_kept, 40 * kHour));
  }
}

TEST_CASE_FIXTURE(
    Accesses, "an unlock restores what was before: a kick until its time, without the old tokens") {
  const Claim before = signed_at(clock.wall_ms());
  CHECK(lock());
  CHECK(kick(30 * kHour));
  CHECK(revoke());
  CHECK(worker.ask({"PTTL", standing_kept}).integer == -1);
  CHECK(refusal(vouched()) == Code::locked);
  CHECK(unlock().value());
  CHECK(ends_in(standing_kept, 30 * kHour));
  CHECK(refusal(vouched()) == Code::kicked);
  CHECK(refusal(before) == Code::bad_token);
}

TEST_CASE_FIXTURE(Accesses, "the notices of all users are counted together, and kept for a day") {
  CHECK(lock());
  CHECK(kick());
  worker.await<Or<bool>>([&](const auto& then) { access.lock("bob", "", then); }).value();
  CHECK(notices() == Notices{"1 alice", "2 alice", "3 bob"});
  CHECK(ends_in(shared_keys(0).notices, 24 * kHour));
  CHECK(ends_in(shared_keys(0).notice_count, 24 * kHour));
}

// --- what may go wrong -------------------------------------------------------------------------

TEST_CASE_FIXTURE(
    Accesses,
    "a foreign value at the key of tokens is reported, and goes with a revocation of all") {
  worker.ask({"SET", tokens_kept, "x"});
  CHECK(refusal(by_token("1")) == Code::broken_data);
  CHECK(try_issue("2").error().code == Code::broken_data);
  CHECK(try_issue("2").error().message.find(tokens_kept) != std::string::npos);
  CHECK(tokens().error().code == Code::broken_data);
  CHECK(tokens().error().message.find(tokens_kept) != std::string::npos);
  CHECK(revoke("alice.1").error().code == Code::broken_data);
  CHECK(admit(vouched()));
  CHECK(worker.downs == 0);
  CHECK(revoke().value() == 0);
  CHECK(try_issue("2"));
  CHECK(admit(by_token("2")));
}

TEST_CASE_FIXTURE(
    Accesses, "a token that can't be parsed admits no client, and goes with the next one issued") {
  SUBCASE("no record") { worker.ask({"HSET", tokens_kept, "1", "x"}); }
  SUBCASE("one without its end") { worker.ask({"HSET", tokens_kept, "1", "alice.1 5"}); }
  SUBCASE("an empty one") { worker.ask({"HSET", tokens_kept, "1", ""}); }
  CHECK(tokens()->empty());
  CHECK(try_issue("2"));
  CHECK(worker.ask({"HLEN", tokens_kept}).integer == 1);
  CHECK(admit(by_token("2")));
  worker.ask({"HSET", tokens_kept, "1", "x"});
  CHECK(refusal(by_token("1")) == Code::bad_token);
  CHECK(worker.downs == 0);
}

TEST_CASE_FIXTURE(Accesses,
                  "a foreign value at the key of a standing keeps its user out until a new order") {
  worker.ask({"SET", standing_kept, "x"});
  CHECK(refusal(vouched()) == Code::broken_data);
  CHECK(standing().error().code == Code::broken_data);
  CHECK(standing().error().message.find(standing_kept) != std::string::npos);
  CHECK(revoke().error().code == Code::broken_data);
  CHECK(worker.downs == 0);
  SUBCASE("an unlock") {
    CHECK(unlock().value());
    CHECK(admit(vouched()));
  }
  SUBCASE("a lock") {
    CHECK(lock().value());
    CHECK(refusal(vouched()) == Code::locked);
  }
  SUBCASE("a kick") {
    CHECK(kick().value());
    CHECK(refusal(vouched()) == Code::kicked);
  }
}

TEST_CASE_FIXTURE(Accesses, "a standing that can't be parsed keeps its user out") {
  SUBCASE("a lock") {
    worker.ask({"HSET", standing_kept, "locked", "x"});
    CHECK(refusal(vouched()) == Code::locked);
    CHECK(unlock().value());
    CHECK(admit(vouched()));
  }
  SUBCASE("a kick") {
    std::string kicked;
    SUBCASE("no time") { kicked = "x"; }
    SUBCASE("one time") { kicked = "5"; }
    SUBCASE("nothing") { kicked = ""; }
    issue("1");
    worker.ask({"HSET", standing_kept, "kicked", kicked});
    CHECK(refusal(vouched()) == Code::kicked);
    CHECK(refusal(by_token("1")) == Code::kicked);
    CHECK(refusal(signed_at(clock.wall_ms())) == Code::kicked);
    CHECK_FALSE(unlock().value());
    CHECK(lock().value());
    CHECK(unlock().value());
    CHECK(refusal(vouched()) == Code::kicked);
    CHECK(kick().value());
    clock.pass(kHour);
    CHECK(admit(vouched()));
  }
  SUBCASE("a revocation") {
    worker.ask({"HSET", standing_kept, "revoked", "x"});
    CHECK(refusal(signed_at(clock.wall_ms())) == Code::bad_token);
    CHECK(admit(vouched()));
  }
}

TEST_CASE_FIXTURE(
    Accesses, "if no program can be told, nothing is changed, and no answer claims that it is") {
  issue("1");
  issue("2");
  CHECK(lock().value());
  const auto before = worker.ask({"DUMP", standing_kept}).text;
  SUBCASE("no stream") { worker.ask({"SET", shared_keys(0).notices, "x"}); }
  SUBCASE("no number") { worker.ask({"SET", shared_keys(0).notice_count, "x"}); }
  CHECK(lock().error().code == Code::store_unavailable);
  CHECK(kick().error().code == Code::store_unavailable);
  CHECK(unlock().error().code == Code::store_unavailable);
  CHECK(revoke().error().code == Code::store_unavailable);
  CHECK(revoke("alice.1").error().code == Code::store_unavailable);
  CHECK(worker.ask({"DUMP", standing_kept}).text == before);
  CHECK(ids() == std::vector<std::string>{"alice.1", "alice.2"});
  CHECK(worker.downs == 0);
}

TEST_CASE("a Redis that is full admits the clients that fetch what fills it") {
  RedisServer server;
  Accesses full(server);
  full.issue("1");
  REQUIRE(full.worker.ask({"CONFIG", "SET", "maxmemory", "1"}).ok());
  CHECK(full.admit(by_token("1"), "192.0.2.1"));
  CHECK(full.ids() == std::vector<std::string>{"alice.1"});
  CHECK(full.try_issue("2").error().code == Code::store_unavailable);
}

TEST_CASE("while Redis is away no client is admitted, and no answer claims success") {
  RedisServer server;
  Accesses left(server);
  server.stop();
  CHECK(left.refusal(vouched()) == Code::store_unavailable);
  CHECK(left.try_issue("1").error().code == Code::store_unavailable);
  CHECK(left.tokens().error().code == Code::store_unavailable);
  CHECK(left.revoke().error().code == Code::store_unavailable);
  CHECK(left.standing().error().code == Code::store_unavailable);
  CHECK(left.lock().error().code == Code::store_unavailable);
  CHECK(left.unlock().error().code == Code::store_unavailable);
  CHECK(left.kick().error().code == Code::store_unavailable);
}

}  // namespace
}  // namespace letterbox::test
