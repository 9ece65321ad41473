// SPDX-License-Identifier: MIT
//
// Pushes with an Idempotency-Key: what comes again is pushed once.
#include <doctest/doctest.h>

#include <map>
#include <optional>
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

// A store that has records, as push.lua does.
class Repeating {
 public:
  HttpAnswer push(std::string_view key, std::string_view query, std::string body,
                  std::string_view type = "") {
    FakePeer peer;
    Request request;
    request.idempotency_key = key;
    request.content_type = type;
    request.body = std::move(body);
    handler_.push(request, Query::parse(query).value(), peer.owed());
    while (!store.pushes.empty()) {
      const auto push = std::move(store.pushes.front());
      store.pushes.pop_front();
      push.then(outcome_of(push));
    }
    return peer.answer();
  }
  std::string code(std::string_view key, std::string_view query, std::string body,
                   std::string_view type = "") {
    return field(push(key, query, std::move(body), type).body, "code");
  }
  // Says the same as the answer before, and that it does.
  void is_replayed(const HttpAnswer& again, const HttpAnswer& before) {
    CHECK(again.status() == before.status());
    CHECK(again.body == before.body);
    CHECK(again.header("Idempotency-Replayed") == "true");
    CHECK(before.header("Idempotency-Replayed").empty());
  }

  FakeClock clock;
  FakeStore store;
  FakeGroups groups;
  FakeCalendar calendar;
  FakeIdempotencyKeys keys;
  std::string away_for;                        // this user's mailbox can't be reached
  std::vector<std::string> pushed;             // to whom, each time
  std::map<std::string, Or<Pushed>> recorded;  // by user and record

 private:
  Or<Pushed> outcome_of(const FakeStore::Push& push) {
    const auto name = push.user + ' ' + push.options.record;
    if (const auto found = recorded.find(name); found != recorded.end()) {
      Pushed again = *found->second;
      again.replayed = true;
      return again;
    }
    if (push.user == away_for) return away();
    pushed.push_back(push.user);
    const Pushed outcome{{5, pushed.size()}, pushed.size(), false};
    if (!push.options.record.empty()) recorded.insert({name, outcome});
    return outcome;
  }

  PushHandler handler_{store, groups, calendar, keys, clock, {}};
};

TEST_CASE_FIXTURE(Repeating,
                  "the same push with the same key is pushed once, and answered the same") {
  const auto first = push("k", "to=alice", "hello");
  is_replayed(push("k", "to=alice", "hello"), first);
  CHECK(pushed.size() == 1);
  push("another", "to=alice", "hello");
  push("", "to=alice", "hello");
  push("", "to=alice", "hello");
  CHECK(pushed.size() == 4);
}

TEST_CASE_FIXTURE(Repeating, "a key with other content is refused, whatever differs") {
  push("k", "to=alice", "hello");
  CHECK(code("k", "to=alice", "other") == "key_reused");
  CHECK(code("k", "to=bob", "hello") == "key_reused");
  CHECK(code("k", "to=alice,bob", "hello") == "key_reused");
  CHECK(code("k", "to=alice&type=mail", "hello") == "key_reused");
  CHECK(code("k", "to=alice&ttl=5", "hello") == "key_reused");
  CHECK(code("k", "to=alice&collapse=c", "hello") == "key_reused");
  CHECK(code("k", "to=alice&delay=5", "hello") == "key_reused");
  CHECK(code("k", "to=alice&at=5", "hello") == "key_reused");
  CHECK(code("k", "to=alice", "\"hello\"", kJson) == "key_reused");
  CHECK(push("k", "to=bob", "hello").status() == 409);
  CHECK(pushed.size() == 1);
}

TEST_CASE_FIXTURE(Repeating, "what differs and is not pushed does not matter") {
  const auto first = push("k", "to=alice", "hello");
  clock.pass(5'000);
  is_replayed(push("k", "to=alice&unknown=1", "hello", "text/plain"), first);
}

TEST_CASE_FIXTURE(Repeating, "a push to several that reached some is pushed to the others alone") {
  away_for = "bob";
  const auto first = push("k", "to=alice,bob,carol", "hello");
  CHECK(first.status() == 503);
  away_for.clear();
  const auto second = push("k", "to=alice,bob,carol", "hello");
  CHECK(second.status() == 202);
  CHECK(second.header("Idempotency-Replayed").empty());
  CHECK(pushed == std::vector<std::string>{"alice", "carol", "bob"});
  is_replayed(push("k", "to=alice,bob,carol", "hello"), second);
}

TEST_CASE_FIXTURE(Repeating, "letters of one call are told apart, also if they are the same") {
  const std::string twice = R"([{"to":"alice","data":1},{"to":"alice","data":1}])";
  const auto first = push("k", "", twice, kJson);
  CHECK(pushed.size() == 2);
  is_replayed(push("k", "", twice, kJson), first);
  CHECK(pushed.size() == 2);
}

TEST_CASE_FIXTURE(Repeating,
                  "a group's push is answered the same, though its members are others now") {
  groups.all["team"] = {"alice", "bob"};
  const auto first = push("k", "to=group:team", "hello");
  groups.all["team"] = {"carol"};
  is_replayed(push("k", "to=group:team", "hello"), first);
  CHECK(pushed == std::vector<std::string>{"alice", "bob"});
}

TEST_CASE_FIXTURE(Repeating, "a group's push that failed in part is not answered the same") {
  groups.all["team"] = {"alice", "bob"};
  away_for = "bob";
  CHECK(push("k", "to=group:team", "hello").status() == 503);
  away_for.clear();
  CHECK(push("k", "to=group:team", "hello").status() == 202);
  CHECK(pushed == std::vector<std::string>{"alice", "bob"});
}

TEST_CASE_FIXTURE(Repeating, "a push to an empty group stays one") {
  const auto first = push("k", "to=group:team", "hello");
  groups.all["team"] = {"alice"};
  is_replayed(push("k", "to=group:team", "hello"), first);
  CHECK(pushed.empty());
}

TEST_CASE_FIXTURE(Repeating, "an envelope may have its key") {
  const std::string one = R"({"to":"alice","data":1,"idempotency_key":"k"})";
  const auto first = push("", "", one, kJson);
  is_replayed(push("", "", one, kJson), first);
  CHECK(code("", "", R"({"to":"alice","data":2,"idempotency_key":"k"})", kJson) == "key_reused");
  CHECK(pushed.size() == 1);
}

TEST_CASE_FIXTURE(Repeating, "in a batch each envelope's key counts for itself") {
  push("", "", R"([{"to":"alice","data":1,"idempotency_key":"a"}])", kJson);
  const auto mixed = push(
      "", "",
      R"([{"to":"alice","data":1,"idempotency_key":"a"},{"to":"alice","data":9,"idempotency_key":"a"},)"
      R"({"to":"bob","data":1,"idempotency_key":"b"},{"to":"carol"}])",
      kJson);
  CHECK(mixed.status() == 409);
  CHECK(mixed.header("Idempotency-Replayed").empty());
  CHECK(pushed == std::vector<std::string>{"alice", "bob", "carol"});
  CHECK(mixed.body.find("key_reused") != std::string::npos);
}

TEST_CASE_FIXTURE(Repeating, "an envelope's key goes before the call's") {
  const std::string both = R"([{"to":"alice","idempotency_key":"a"},{"to":"bob"}])";
  push("k", "", both, kJson);
  push("", "", R"([{"to":"alice","idempotency_key":"a"},{"to":"bob"}])", kJson);
  CHECK(pushed == std::vector<std::string>{"alice", "bob", "bob"});
}

TEST_CASE_FIXTURE(Repeating, "a key that can't be is refused") {
  const std::string longest(128, '~');
  CHECK(push(longest, "to=alice", "x").status() == 202);
  CHECK(push("a b!", "to=alice", "x").status() == 202);
  for (const auto& bad :
       {longest + "~", std::string("caf\xC3\xA9"), std::string("a\x7F"), std::string(" a")}) {
    CAPTURE(bad);
    CHECK(code(bad, "to=alice", "x") == "bad_idempotency_key");
  }
  CHECK(code("", "", R"({"to":"alice","idempotency_key":""})", kJson) == "bad_idempotency_key");
  CHECK(code("", "", R"({"to":"alice","idempotency_key":7})", kJson) == "bad_envelope");
}

TEST_CASE_FIXTURE(Repeating, "while keys can't be looked up, nothing that has one is pushed") {
  keys.is_away = true;
  CHECK(code("k", "to=alice", "x") == "store_unavailable");
  const auto mixed = push("", "", R"([{"to":"alice","idempotency_key":"a"},{"to":"bob"}])", kJson);
  CHECK(mixed.status() == 503);
  CHECK(pushed == std::vector<std::string>{"bob"});
}

}  // namespace
}  // namespace letterbox::test
