// SPDX-License-Identifier: MIT
//
// Pushes to groups, and to all users who are online.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "handlers/push.h"
#include "tests/unit/fake_calendar.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_groups.h"
#include "tests/unit/fake_idempotency.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_reply_to.h"
#include "tests/unit/fake_store.h"

namespace letterbox::test {
namespace {

constexpr std::string_view kJson = "application/json";

using Users = std::vector<std::string>;

struct Telling {
  FakeClock clock;
  FakeStore store;
  FakeGroups groups;
  FakeIdempotencyKeys keys;
  FakeCalendar calendar;
  FakePeer peer;
  PushHandler handler{store,
                      groups,
                      calendar,
                      keys,
                      clock,
                      {.recipients_max = 20,
                       .broadcast = {.recipients = 500, .bytes = 100'000, .in_hand = 50'000}}};

  void push(std::string_view query, std::string body = "x", std::string_view type = "") {
    push_as(peer, query, std::move(body), type);
  }
  void push_as(FakePeer& who, std::string_view query, std::string body,
               std::string_view type = "") const {
    Request request;
    request.content_type = type;
    request.body = std::move(body);
    handler.push(request, Query::parse(query).value(), who.owed());
  }

  // The users to whom pushes are under way now.
  Users users() const {
    Users names;
    for (const auto& push : store.pushes) names.push_back(push.user);
    return names;
  }
  void settle(const Or<Pushed>& outcome) {
    REQUIRE_FALSE(store.pushes.empty());
    const auto push = std::move(store.pushes.front());
    store.pushes.pop_front();
    push.then(outcome);
  }
  // All users that are pushed to until the answer.
  std::multiset<std::string> settle_all(const Or<Pushed>& outcome = Pushed{{5, 1}, 1, false}) {
    std::multiset<std::string> all;
    while (!store.pushes.empty()) {
      all.insert(store.pushes.front().user);
      settle(outcome);
    }
    return all;
  }
  // That many members for a group.
  void fill(const std::string& group, size_t count) {
    for (size_t i = 0; i < count; ++i) groups.all[group].push_back(group + std::to_string(i));
  }
  std::string code() { return field(peer.answer().body, "code"); }
};

TEST_CASE_FIXTURE(Telling,
                  "a push to a group goes to each of its members, and the answer says the sum") {
  groups.all["team"] = {"alice", "bob", "carol"};
  push("to=group:team");
  CHECK(users() == Users{"alice", "bob", "carol"});
  settle(Pushed{{5, 1}, 2, true});
  settle(Pushed{{6, 1}, 1, false});
  CHECK_FALSE(peer.answered());
  settle(Pushed{{7, 1}, 1, false});
  CHECK(peer.answer().status() == 202);
  CHECK(peer.answer().body ==
        R"({"count":3,"accepted":3,"waiting":1,"failed":0,"results":[)"
        R"({"to":"alice","id":"5-1","queued":2,"waiting":true},)"
        R"({"to":"bob","id":"6-1","queued":1,"waiting":false},)"
        "{\"to\":\"carol\",\"id\":\"7-1\",\"queued\":1,\"waiting\":false}]}\n");
}

TEST_CASE_FIXTURE(Telling, "a star is every user who is online") {
  groups.online_now = {"alice", "bob", "alice"};  // a scan may say a name twice
  push("to=*");
  CHECK(users() == Users{"alice", "bob"});
  settle_all(Pushed{{5, 1}, 1, true});
  CHECK(peer.answer().status() == 201);
}

TEST_CASE_FIXTURE(Telling,
                  "groups, the star and names may be mixed, and no user gets a message twice") {
  groups.all["a"] = {"alice", "bob", "carol"};
  groups.all["b"] = {"bob", "dave"};
  groups.online_now = {"erin", "dave"};
  const Users all{"zoe", "alice", "bob", "carol", "dave", "erin"};
  SUBCASE("in the query") { push("to=zoe,group:a&to=group:b,*,alice&to=group:a"); }
  SUBCASE("in an envelope") {
    push("", R"({"to":["zoe","group:a","group:b","*","alice","group:a"]})", kJson);
  }
  CHECK(users() == all);
  settle_all();
  CHECK(field(peer.answer().body, "count") == "6");
}

TEST_CASE_FIXTURE(Telling, "each envelope of a batch may have a group of its own") {
  groups.all["a"] = {"alice", "bob"};
  groups.all["b"] = {"bob"};
  push("", R"([{"to":"group:a","data":1},{"to":"group:b","data":2},{"to":"carol","data":3}])",
       kJson);
  CHECK(users() == Users{"alice", "bob", "bob", "carol"});
  CHECK(store.pushes[1].element.find("\"data\":1") != std::string::npos);
  CHECK(store.pushes[2].element.find("\"data\":2") != std::string::npos);
  settle_all();
  CHECK(field(peer.answer().body, "count") == "4");
}

TEST_CASE_FIXTURE(Telling,
                  "a push to a group without members, or with no user online, is a success") {
  SUBCASE("a group") { push("to=group:none"); }
  SUBCASE("the star") { push("to=*"); }
  SUBCASE("both, in an envelope") { push("", R"({"to":["group:none","*"]})", kJson); }
  CHECK(peer.answer().status() == 202);
  CHECK(peer.answer().body ==
        "{\"count\":0,\"accepted\":0,\"waiting\":0,\"failed\":0,\"results\":[]}\n");
}

TEST_CASE_FIXTURE(Telling,
                  "beyond a hundred recipients only failures are told, at most a hundred") {
  fill("g", 450);
  push("to=group:g");
  size_t sent = 0;
  for (; !store.pushes.empty(); ++sent) {
    if (sent % 3 == 0) {
      settle(away());
    } else {
      settle(Pushed{{5, 1}, 1, sent % 3 == 1});
    }
  }
  CHECK(sent == 450);
  CHECK(peer.answer().status() == 503);
  CHECK(peer.answer().header("Retry-After") == "2");
  const std::string body = peer.answer().body;
  CHECK(body.starts_with(R"({"count":450,"accepted":300,"waiting":150,"failed":150,"results":[)"
                         R"({"to":"g0","error":{"code":"store_unavailable")"));
  size_t told = 0;
  for (size_t at = 0; (at = body.find("\"to\":", at)) != std::string::npos; ++at) ++told;
  CHECK(told == 100);
  CHECK(body.find("\"id\"") == std::string::npos);
}

TEST_CASE_FIXTURE(
    Telling, "a recipient that is known to be wrong is a failure of its own, as it was written") {
  groups.all["a"] = {"alice", "not a name"};
  push("to=group:a,group:a%20b,b%20b,group:");
  CHECK(users() == Users{"alice"});
  settle_all();
  CHECK(peer.answer().status() == 400);
  const std::string body = peer.answer().body;
  CHECK(body.starts_with(R"({"count":5,"accepted":1,"waiting":0,"failed":4,)"));
  CHECK(body.find(R"({"to":"not a name","error":{"code":"bad_user")") != std::string::npos);
  CHECK(body.find(R"({"to":"group:a b","error":{"code":"bad_group")") != std::string::npos);
  CHECK(body.find(R"({"to":"b b","error":{"code":"bad_user")") != std::string::npos);
  CHECK(body.find(R"({"to":"group:","error":{"code":"bad_group")") != std::string::npos);
}

TEST_CASE_FIXTURE(Telling, "a bad envelope beside a group is told as it was written") {
  groups.all["a"] = {"alice"};
  push("", R"([{"to":"group:a"},{"to":["group:a","*"],"ttl":604801},{"data":1}])", kJson);
  settle_all();
  CHECK(field(peer.answer().body, "count") == "4");
  CHECK(peer.answer().body.find(R"({"to":"group:a","error":{"code":"bad_ttl")") !=
        std::string::npos);
  CHECK(peer.answer().body.find(R"({"to":"*","error":{"code":"bad_ttl")") != std::string::npos);
  CHECK(groups.pages == 1);
}

TEST_CASE_FIXTURE(Telling,
                  "a push to one group with a bad name is refused like a push to one bad name") {
  push("to=group:a%20b");
  CHECK(peer.answer().status() == 400);
  CHECK(code() == "bad_group");
}

// --- limits ------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Telling, "more recipients than a call may have are refused before any push") {
  fill("g", 499);
  SUBCASE("a group of the largest size is not") {
    push("to=group:g,alice");
    CHECK(settle_all().size() == 500);
    CHECK(field(peer.answer().body, "accepted") == "500");
    return;
  }
  SUBCASE("a group that is too large") {
    fill("g", 2);
    push("to=group:g");
  }
  SUBCASE("two that are too large together, though of the same users") {
    groups.all["h"] = groups.all["g"];
    push("to=group:g,group:h");
  }
  SUBCASE("in two envelopes of a batch") {
    push("", R"([{"to":"group:g"},{"to":["a","b"]}])", kJson);
  }
  CHECK(store.push_calls == 0);
  CHECK(peer.answer().status() == 400);
  CHECK(code() == "too_many_recipients");
  CHECK(groups.pages <= 251);
}

TEST_CASE_FIXTURE(Telling, "names and groups that are spelled out have the limit of names") {
  std::string to;
  for (int i = 0; i < 21; ++i) to += "group:g" + std::to_string(i) + ",";
  push("to=" + to + "*");
  CHECK(code() == "too_many_recipients");
  CHECK(groups.pages == 0);
}

TEST_CASE_FIXTURE(Telling, "more bytes than a call may store are refused before any push") {
  fill("g", 200);
  push("to=group:g", std::string(500, 'x'));
  CHECK(store.push_calls == 0);
  CHECK(peer.answer().status() == 413);
  CHECK(code() == "too_large");
  FakePeer another;
  push_as(another, "to=group:g", std::string(400, 'x'));
  CHECK(settle_all().size() == 200);
}

TEST_CASE_FIXTURE(Telling, "a worker bounds the names that it holds in memory") {
  fill("g", 300);
  push("to=group:g");
  CHECK(store.push_calls > 0);
  FakePeer second;
  push_as(second, "to=group:g", "x");
  CHECK(second.answer().status() == 503);
  CHECK(field(second.answer().body, "code") == "overloaded");
  settle_all();
  CHECK(peer.answer().status() == 202);
  FakePeer third;
  push_as(third, "to=group:g", "x");
  CHECK(settle_all().size() == 300);
}

TEST_CASE_FIXTURE(Telling, "while the store can't say who belongs to a group nothing is pushed") {
  groups.is_away = true;
  SUBCASE("a group") { push("to=alice,group:a"); }
  SUBCASE("the star") { push("to=alice,*"); }
  CHECK(store.push_calls == 0);
  CHECK(peer.answer().status() == 503);
  CHECK(code() == "store_unavailable");
}

// --- how much at a time ------------------------------------------------------------------------

TEST_CASE_FIXTURE(Telling, "one call has at most a hundred recipients under way, in two steps") {
  fill("g", 250);
  push("to=group:g");
  CHECK(store.pushes.size() == 100);
  CHECK(store.push_calls == 2);
  for (int i = 0; i < 49; ++i) settle(Pushed{});
  CHECK(store.push_calls == 2);
  settle(Pushed{});
  CHECK(store.push_calls == 3);
  CHECK(store.pushes.size() == 100);
  CHECK(settle_all(Pushed{}).size() == 200);
  CHECK(store.push_calls == 5);
}

// --- several calls at once ---------------------------------------------------------------------

// An array of envelopes to NAME0, NAME1, ...
std::string batch(const std::string& name, size_t count) {
  std::string body = "[";
  for (size_t i = 0; i < count; ++i) {
    body += (i > 0 ? "," : "") + (R"({"to":")" + name + std::to_string(i) + "\"}");
  }
  return body + "]";
}

struct Beside : Telling {
  PushHandler large{store, groups, calendar, keys, clock, {.recipients_max = 1000}};
  std::array<FakePeer, 3> others;

  void push_large(FakePeer& who, std::string_view query, std::string body = "x") const {
    Request request;
    request.content_type = kJson;
    request.body = std::move(body);
    large.push(request, Query::parse(query).value(), who.owed());
  }
  // How many of the users that are pushed to now have names with this beginning.
  size_t under_way(std::string_view name) const {
    return static_cast<size_t>(
        std::count_if(store.pushes.begin(), store.pushes.end(),
                      [&](const auto& p) { return p.user.starts_with(name); }));
  }
};

TEST_CASE_FIXTURE(Beside,
                  "all batches and broadcasts together have a hundred recipients under way") {
  fill("g", 300);
  for (auto& other : others) push_large(other, "", batch("b", 300));
  push_large(peer, "to=group:g", "1");
  CHECK(store.pushes.size() == 100);
  for (int i = 0; i < 1000; ++i) {
    settle(Pushed{});
    REQUIRE(store.pushes.size() < 150);  // a share is not cut
  }
  settle_all();
  CHECK(field(peer.answer().body, "accepted") == "300");
  for (auto& other : others) CHECK(other.answer().status() == 202);
}

TEST_CASE_FIXTURE(Beside, "a push of one step waits for no batch") {
  push_large(others[0], "", batch("b", 300));
  SUBCASE("to one") { push_large(peer, "to=alice", "1"); }
  SUBCASE("to a few") { push_large(peer, "to=alice,alba", "1"); }
  SUBCASE("in an envelope") { push_large(peer, "", R"({"to":"alice"})"); }
  SUBCASE("to a small group") {
    groups.all["small"] = {"alice", "alba"};
    push_large(peer, "to=group:small", "1");
  }
  CHECK(under_way("b") == 100);
  CHECK(under_way("al") > 0);
}

TEST_CASE_FIXTURE(Beside, "calls take turns of fifty recipients") {
  fill("g", 400);
  push_large(others[0], "", batch("a", 400));
  push_large(others[1], "", batch("b", 400));
  push_large(others[2], "to=group:g", "1");
  std::map<char, size_t> sent;  // by the first letter of the name
  for (int i = 0; i < 600; ++i) {
    ++sent[store.pushes.front().user.front()];
    settle(Pushed{});
  }
  CHECK(sent['a'] >= 200);  // a hundred of them before the other call came
  CHECK(sent['b'] >= 150);
  CHECK(sent['g'] >= 150);
}

TEST_CASE_FIXTURE(Beside, "a batch that comes last is answered before larger ones are") {
  push_large(others[0], "", batch("a", 1000));
  push_large(others[1], "", batch("b", 1000));
  push_large(peer, "", batch("c", 60));
  while (!peer.answered()) settle(Pushed{});
  CHECK_FALSE(others[0].answered());
  CHECK_FALSE(others[1].answered());
}

TEST_CASE_FIXTURE(Telling,
                  "a store that has failed a hundred pushes in a row is not asked for the rest") {
  fill("g", 400);
  push("to=group:g");
  settle(Pushed{{5, 1}, 1, true});
  settle_all(away());
  CHECK(store.push_calls < 5);
  CHECK(peer.answer().status() == 503);
  CHECK(peer.answer().body.starts_with(R"({"count":400,"accepted":1,"waiting":1,"failed":399,)"));
}

TEST_CASE_FIXTURE(Telling,
                  "a store in which a hundred mailboxes are broken is asked for the rest") {
  fill("g", 400);
  push("to=group:g");
  settle_all(broken_data("base:{g0} can't be read"));
  CHECK(store.push_calls >= 8);
  CHECK(peer.answer().status() == 409);
}

TEST_CASE_FIXTURE(Telling,
                  "a message for later to a group is in the calendars of its members, in turns") {
  for (int i = 0; i < 120; ++i) groups.all["team"].push_back("user" + std::to_string(i));
  push("to=group:team&delay=60");
  CHECK(store.pushes.empty());
  size_t recipients = 0;
  while (!calendar.additions.empty()) {
    CHECK(calendar.additions.size() <= 2);
    const auto addition = std::move(calendar.additions.front());
    calendar.additions.pop_front();
    CHECK(addition.users.size() <= 50);
    CHECK(addition.at_ms == clock.wall_ms() + 60'000);
    recipients += addition.users.size();
    addition.then({addition.users.size(), Scheduled{"user.0123456789abcdef", addition.at_ms}});
  }
  CHECK(recipients == 120);
  CHECK(peer.answer().status() == 202);
  CHECK(peer.answer().body.starts_with(
      R"({"count":120,"accepted":120,"waiting":0,"failed":0,"results":[)"));
}

}  // namespace
}  // namespace letterbox::test
