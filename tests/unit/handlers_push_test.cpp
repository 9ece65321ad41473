// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "handlers/push.h"
#include "model/message.h"
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

class Pushing {
 public:
  void push(std::string_view query, std::string body, std::string_view type = "") {
    push_as(peer, query, std::move(body), type);
  }
  void push_as(FakePeer& who, std::string_view query, std::string body,
               std::string_view type = "") {
    Request request;
    request.content_type = type;
    request.body = std::move(body);
    handler_.push(request, Query::parse(query).value(), who.owed());
  }

  // The only element that such a push hands to the store, without its expiry and time.
  std::string element(std::string_view query, std::string body, std::string_view type = "") {
    store.pushes.clear();
    FakePeer another;
    Request request;
    request.content_type = type;
    request.body = std::move(body);
    handler_.push(request, Query::parse(query).value(), another.owed());
    REQUIRE(store.pushes.size() == 1);
    const std::string whole = store.pushes.front().element;
    store.pushes.clear();  // the answer is forgotten, which does not matter here
    const std::string time = ",\"time\":" + std::to_string(clock.wall_ms()) + "}";
    REQUIRE(whole.ends_with(time));
    return whole.substr(0, whole.size() - time.size());
  }

  std::string refused(std::string_view query, std::string body, std::string_view type = "") {
    FakePeer another;
    Request request;
    request.content_type = type;
    request.body = std::move(body);
    handler_.push(request, Query::parse(query).value(), another.owed());
    CHECK(store.pushes.empty());
    CHECK(calendar.additions.empty());
    CHECK(another.answer().status() >= 400);
    return field(another.answer().body, "code");
  }

  void settle(const Or<Pushed>& result) {
    REQUIRE_FALSE(store.pushes.empty());
    const auto push = std::move(store.pushes.front());
    store.pushes.pop_front();
    push.then(result);
  }

  FakeClock clock;
  FakeStore store;
  FakeGroups groups;
  FakeIdempotencyKeys keys;
  FakeCalendar calendar;
  FakePeer peer;

 private:
  PushHandler handler_{store,
                       groups,
                       calendar,
                       keys,
                       clock,
                       {.body_max = 1000,
                        .recipients_max = 3,
                        .broadcast = {.in_hand = 5'000'000},
                        .ttl_max_ms = 10'000}};
};

// --- what is delivered -------------------------------------------------------------------------

TEST_CASE_FIXTURE(Pushing, "a body that is not declared JSON is text") {
  const std::string hello = R"(0 {"type":"message","data":"hello")";
  CHECK(element("to=alice", "hello") == hello);
  for (const auto type : {"text/plain", "application/x-www-form-urlencoded", "application/jsonx",
                          "text/json", "application/+json", "json", "application/json+x"}) {
    CAPTURE(type);
    CHECK(element("to=alice", "hello", type) == hello);
  }
  CHECK(element("to=alice", "{\"a\":1}\n") == R"(0 {"type":"message","data":"{\"a\":1}\n")");
  CHECK(element("to=alice", std::string("\0\x1F", 2)) ==
        R"(0 {"type":"message","data":"\u0000\u001F")");
}

TEST_CASE_FIXTURE(Pushing,
                  "a body that is declared JSON is data, its numbers as they were written") {
  for (const auto type :
       {"application/json", "Application/JSON; charset=utf-8", "application/json ;",
        "application/vnd.api+json", "application/problem+JSON;x=y"}) {
    CAPTURE(type);
    CHECK(element("to=alice", " { \"n\" : 12345678901234567890.10 } ", type) ==
          R"(0 {"type":"message","data":{"n":12345678901234567890.10})");
  }
  CHECK(element("to=alice", "null", kJson) == R"(0 {"type":"message","data":null)");
}

TEST_CASE_FIXTURE(Pushing, "type and ttl are taken from the query") {
  const std::string expires = std::to_string(clock.wall_ms() + 1'500);
  CHECK(element("to=alice&type=new%20mail&ttl=1.5", "x") ==
        expires + R"( {"type":"new mail","data":"x")");
  CHECK(element("to=alice&ttl=10", "x").starts_with(std::to_string(clock.wall_ms() + 10'000)));
}

TEST_CASE_FIXTURE(Pushing, "collapse is taken from the query, or from the envelope") {
  const auto key = [&](std::string_view query, std::string body, std::string_view type = "") {
    push(query, std::move(body), type);
    const std::string found = store.pushes.back().options.collapse;
    store.pushes.clear();
    return found;
  };
  CHECK(key("to=alice", "x").empty());
  CHECK(key("to=alice&collapse=quota", "x") == "quota");
  CHECK(key("", R"({"to":"alice","collapse":"a:b@c"})", kJson) == "a:b@c");
  CHECK(key("collapse=quota", R"({"to":"alice"})", kJson) == "quota");
  CHECK(key("collapse=quota", R"({"to":"alice","collapse":"other"})", kJson) == "other");
  const std::string longest(64, 'k');
  CHECK(key("to=alice&collapse=" + longest, "x") == longest);
  for (const auto& bad : {longest + "k", std::string("a%20b"), std::string()}) {
    CAPTURE(bad);
    CHECK(refused("to=alice&collapse=" + bad, "x") == "bad_collapse");
  }
  CHECK(refused("", R"({"to":"alice","collapse":""})", kJson) == "bad_collapse");
  CHECK(refused("", R"({"to":"alice","collapse":1})", kJson) == "bad_envelope");
  CHECK(refused("", R"({"to":"alice","collapse":"a","collapse":"b"})", kJson) == "bad_envelope");
  CHECK(refused("to=alice&collapse=a&collapse=b", "x") == "repeated_parameter");
}

TEST_CASE_FIXTURE(Pushing, "an envelope gives the recipient, the type, the data and the life") {
  const std::string expires = std::to_string(clock.wall_ms() + 2'000);
  CHECK(element("", R"({"to":"alice","type":"mail","data":{"a":[1]},"ttl":2,"more":0})", kJson) ==
        expires + R"( {"type":"mail","data":{"a":[1]})");
  CHECK(element("", R"({"to":"alice"})", kJson) == R"(0 {"type":"message","data":null)");
}

TEST_CASE_FIXTURE(Pushing, "type and ttl of the query are for envelopes that give none") {
  const auto expires = [&](uint64_t ms) { return std::to_string(clock.wall_ms() + ms); };
  CHECK(element("type=mail&ttl=5", R"({"to":"alice"})", kJson) ==
        expires(5000) + R"( {"type":"mail","data":null)");
  CHECK(element("type=mail&ttl=5", R"({"to":"alice","type":"chat"})", kJson) ==
        expires(5000) + R"( {"type":"chat","data":null)");
  CHECK(element("type=mail&ttl=5", R"({"to":"alice","ttl":2})", kJson) ==
        expires(2000) + R"( {"type":"mail","data":null)");
  push("type=mail&ttl=5", R"([{"to":"alice","ttl":2},{"to":"bob","type":"chat"}])", kJson);
  REQUIRE(store.pushes.size() == 2);
  CHECK(store.pushes[0].element.starts_with(expires(2000) + R"( {"type":"mail")"));
  CHECK(store.pushes[1].element.starts_with(expires(5000) + R"( {"type":"chat")"));
}

TEST_CASE_FIXTURE(Pushing, "a bad type or ttl in the query refuses envelopes too") {
  for (const std::string body : {R"({"to":"alice"})", R"([{"to":"alice","type":"a","ttl":1}])"}) {
    CAPTURE(body);
    CHECK(refused("type=", body, kJson) == "bad_type");
    CHECK(refused("ttl=0", body, kJson) == "bad_ttl");
    CHECK(refused("ttl=11", body, kJson) == "bad_ttl");
    CHECK(refused("ttl=1&ttl=1", body, kJson) == "repeated_parameter");
  }
}

// --- what is answered --------------------------------------------------------------------------

TEST_CASE_FIXTURE(Pushing,
                  "one recipient is answered when the store has it: 201 if a client waits") {
  push("to=alice", "x");
  CHECK_FALSE(peer.answered());
  CHECK(store.pushes.front().user == "alice");
  settle(Pushed{{5, 6}, 3, true});
  CHECK(peer.answer().status() == 201);
  CHECK(peer.answer().body == "{\"id\":\"5-6\",\"queued\":3,\"waiting\":true}\n");
}

TEST_CASE_FIXTURE(Pushing, "202 if no client waits") {
  push("", R"({"to":"alice","data":1})", kJson);
  settle(Pushed{{5, 6}, 1, false});
  CHECK(peer.answer().status() == 202);
  CHECK(peer.answer().body == "{\"id\":\"5-6\",\"queued\":1,\"waiting\":false}\n");
}

TEST_CASE_FIXTURE(Pushing, "503 if the store is away, never a false 2xx") {
  push("to=alice", "x");
  settle(away());
  CHECK(peer.answer().status() == 503);
  CHECK(peer.answer().header("Retry-After") == "2");
  CHECK(field(peer.answer().body, "code") == "store_unavailable");
}

TEST_CASE_FIXTURE(
    Pushing, "several recipients are answered in the order given, each once, by the worst status") {
  SUBCASE("named in the query, by commas and by repeating") {
    push("to=alice,bob&to=alice&to=carol", "x");
  }
  SUBCASE("named in an envelope") {
    push("", R"({"to":["alice","bob","alice","carol"],"data":"x"})", kJson);
  }
  SUBCASE("named in a batch") {
    push("", R"([{"to":"alice"},{"to":["bob"]},{"to":"carol"}])", kJson);
  }
  REQUIRE(store.pushes.size() == 3);
  // The outcomes come in any order.
  std::swap(store.pushes[0], store.pushes[2]);
  settle(Pushed{{7, 3}, 1, true});
  settle(away());
  CHECK_FALSE(peer.answered());
  settle(Pushed{{5, 1}, 2, false});
  CHECK(peer.answer().status() == 503);
  CHECK(peer.answer().header("Retry-After") == "2");
  CHECK(peer.answer().body ==
        R"({"results":[{"to":"alice","id":"5-1","queued":2,"waiting":false},)"
        R"({"to":"bob","error":{"code":"store_unavailable","message":"the store is away",)"
        R"("terminal":false,"retry_after_ms":1500}},)"
        "{\"to\":\"carol\",\"id\":\"7-3\",\"queued\":1,\"waiting\":true}]}\n");
}

TEST_CASE_FIXTURE(Pushing, "one message to several is one step of the store") {
  push("to=alice,bob,carol", "x");
  CHECK(store.pushes.size() == 3);
  CHECK(store.push_calls == 1);
}

TEST_CASE_FIXTURE(Pushing, "a list with one name in it is answered by a list") {
  SUBCASE("in the query") { push("to=alice,alice", "x"); }
  SUBCASE("in an envelope") { push("", R"({"to":["alice"]})", kJson); }
  SUBCASE("in a batch") { push("", R"([{"to":"alice"}])", kJson); }
  settle(Pushed{{5, 6}, 1, true});
  CHECK(peer.answer().status() == 201);
  CHECK(peer.answer().body ==
        "{\"results\":[{\"to\":\"alice\",\"id\":\"5-6\",\"queued\":1,\"waiting\":true}]}\n");
}

TEST_CASE_FIXTURE(Pushing, "the status of several is the worst: 201, 202, 4xx, 5xx") {
  Or<Pushed> second = Pushed{{5, 6}, 1, true};
  int status = 201;
  SUBCASE("all were waiting") {}
  SUBCASE("one was not") {
    second = Pushed{{5, 6}, 1, false};
    status = 202;
  }
  SUBCASE("one could not be stored") {
    second = away();
    status = 503;
  }
  push("to=alice,bob", "x");
  settle(Pushed{{5, 6}, 1, true});
  settle(second);
  CHECK(peer.answer().status() == status);
}

TEST_CASE_FIXTURE(Pushing,
                  "one bad name among several is its own outcome, the others are delivered") {
  push("to=alice,,b%20b", "x");
  REQUIRE(store.pushes.size() == 1);
  settle(Pushed{{5, 6}, 1, true});
  CHECK(peer.answer().status() == 400);
  const std::string bad =
      R"("error":{"code":"bad_user","message":"a user name is 1 to 128 of A-Z a-z 0-9 . _ - @ : +",)"
      R"("terminal":true,"retry_after_ms":0}})";
  CHECK(peer.answer().body ==
        R"({"results":[{"to":"alice","id":"5-6","queued":1,"waiting":true},{"to":"",)" + bad +
            R"(,{"to":"b b",)" + bad + "]}\n");
}

TEST_CASE_FIXTURE(Pushing,
                  "one bad envelope in a batch is its own outcome, the others are delivered") {
  push("", R"([{"data":1},{"to":"alice"},{"to":"bob","ttl":99}])", kJson);
  REQUIRE(store.pushes.size() == 1);
  CHECK(store.pushes.front().user == "alice");
  settle(Pushed{{5, 6}, 1, true});
  CHECK(peer.answer().status() == 400);
  CHECK(peer.answer().body.find(R"("code":"missing_to")") != std::string::npos);
  CHECK(peer.answer().body.find(R"({"to":"bob","error":{"code":"bad_ttl")") != std::string::npos);
}

TEST_CASE_FIXTURE(Pushing, "a batch of bad envelopes alone is answered at once") {
  push("", R"([{},{"to":"a/b"}])", kJson);
  CHECK(store.pushes.empty());
  CHECK(peer.answer().status() == 400);
}

TEST_CASE_FIXTURE(Pushing, "an empty batch delivers nothing, and says so") {
  push("", "[]", kJson);
  CHECK(peer.answer().status() == 202);
  CHECK(peer.answer().body == "{\"results\":[]}\n");
}

// --- what is refused ---------------------------------------------------------------------------

TEST_CASE_FIXTURE(Pushing, "each fault of a push has the contract's code") {
  CHECK(refused("", "x") == "missing_to");
  CHECK(refused("", "") == "missing_to");
  CHECK(refused("", R"({"data":1})", kJson) == "missing_to");
  CHECK(refused("to=alice", "") == "missing_body");
  CHECK(refused("to=alice", "", kJson) == "missing_body");
  CHECK(refused("", "", kJson) == "missing_body");
  CHECK(refused("to=", "x") == "bad_user");
  CHECK(refused("to=a/b", "x") == "bad_user");
  CHECK(refused("to=a%00", "x") == "bad_user");
  CHECK(refused("to=alice", "\xFF") == "bad_encoding");
  CHECK(refused("to=alice", "\"\xFF\"", kJson) == "bad_json");
  CHECK(refused("to=alice", "{", kJson) == "bad_json");
  CHECK(refused("to=alice", "1 2", kJson) == "bad_json");
  CHECK(refused("", "{", kJson) == "bad_json");
  CHECK(refused("", "1", kJson) == "bad_envelope");
  CHECK(refused("", R"({"to":1})", kJson) == "bad_envelope");
  CHECK(refused("", R"({"to":[]})", kJson) == "missing_to");
  CHECK(refused("to=alice&type=", "x") == "bad_type");
  CHECK(refused("to=alice&type=a%0Ab", "x") == "bad_type");
  CHECK(refused("to=alice&type=" + std::string(65, 'x'), "x") == "bad_type");
  for (const auto ttl : {"", "0", "-1", "10.001", "11", "x", "1e1", "inf", "1%00"}) {
    CAPTURE(ttl);
    CHECK(refused(std::string("to=alice&ttl=") + ttl, "x") == "bad_ttl");
  }
  CHECK(refused("", R"({"to":"alice","ttl":10.001})", kJson) == "bad_ttl");
  CHECK(refused("to=alice&type=a&type=b", "x") == "repeated_parameter");
  CHECK(refused("to=alice&ttl=1&ttl=1", "x") == "repeated_parameter");
  CHECK(refused("to=a,b,c,d", "x") == "too_many_recipients");
  CHECK(refused("", R"({"to":["a","b","c","d"]})", kJson) == "too_many_recipients");
  CHECK(refused("", R"([{"to":"a"},{"to":["b","c"]},{"to":"d"}])", kJson) == "too_many_recipients");
}

TEST_CASE_FIXTURE(Pushing, "the same name many times is one recipient") {
  push("to=a,a,a,a,a&to=b&to=a", "x");
  CHECK(store.pushes.size() == 2);
}

TEST_CASE_FIXTURE(Pushing, "a body that was too large is refused, and the limit told") {
  Request request;
  request.body_too_large = true;
  PushHandler(store, groups, calendar, keys, clock, {.body_max = 1000})
      .push(request, Query::parse("to=alice").value(), peer.owed());
  CHECK(peer.answer().status() == 413);
  CHECK(field(peer.answer().body, "code") == "too_large");
  CHECK(field(peer.answer().body, "message").find("1000") != std::string::npos);
}

// --- later -------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Pushing, "a delay or a time puts the message into the calendar, made for then") {
  const uint64_t now = clock.wall_ms();
  SUBCASE("a delay in the query") { push("to=alice&type=mail&delay=1.5&ttl=2", "x"); }
  SUBCASE("a time in the query") {
    push("to=alice&type=mail&ttl=2&at=" + std::to_string(now + 1'500), "x");
  }
  SUBCASE("a delay in an envelope") {
    push("delay=9", R"({"to":"alice","type":"mail","data":"x","ttl":2,"delay":1.5})", kJson);
  }
  SUBCASE("a time in an envelope") {
    push("ttl=2&type=mail", R"({"to":"alice","data":"x","at":)" + std::to_string(now + 1'500) + "}",
         kJson);
  }
  CHECK(store.pushes.empty());
  REQUIRE(calendar.additions.size() == 1);
  const auto& addition = calendar.additions.front();
  CHECK(addition.users == std::vector<std::string>{"alice"});
  CHECK(addition.at_ms == now + 1'500);
  CHECK(addition.element == make_element("mail", R"("x")", now + 1'500, now + 3'500));
  CHECK_FALSE(peer.answered());
  addition.then({Scheduled{"alice.1a1ff7b9eeb00007", now + 1'500}});
  CHECK(peer.answer().status() == 202);
  CHECK(peer.answer().body ==
        R"({"scheduled":"alice.1a1ff7b9eeb00007","at":)" + std::to_string(now + 1'500) + "}\n");
}

TEST_CASE_FIXTURE(Pushing, "a time that is over means now") {
  const uint64_t now = clock.wall_ms();
  for (const uint64_t at : {uint64_t{0}, uint64_t{1}, now}) {
    CHECK(element("to=alice&at=" + std::to_string(at), "x") == R"(0 {"type":"message","data":"x")");
    CHECK(element("delay=5", R"({"to":"alice","at":)" + std::to_string(at) + "}", kJson) ==
          R"(0 {"type":"message","data":null)");
  }
  CHECK(calendar.additions.empty());
}

TEST_CASE_FIXTURE(Pushing,
                  "thirty days are the furthest ahead, and the first millisecond the nearest") {
  const uint64_t now = clock.wall_ms();
  push("to=alice&delay=2592000", "x");
  push("to=alice&at=" + std::to_string(now + 2'592'000'000), "x");
  push("to=alice&at=" + std::to_string(now + 1), "x");
  push("to=alice&delay=0.000001", "x");
  REQUIRE(calendar.additions.size() == 4);
  CHECK(calendar.additions[0].at_ms == now + 2'592'000'000);
  CHECK(calendar.additions[1].at_ms == now + 2'592'000'000);
  CHECK(calendar.additions[2].at_ms == now + 1);
  CHECK(calendar.additions[3].at_ms == now + 1);
  calendar.additions.clear();
  CHECK(refused("to=alice&delay=2592000.001", "x") == "bad_time");
  CHECK(refused("to=alice&at=" + std::to_string(now + 2'592'000'001), "x") == "bad_time");
}

TEST_CASE_FIXTURE(Pushing, "a delay or a time that is none is refused, and so are both") {
  for (const auto bad :
       {"delay=", "delay=0", "delay=-1", "delay=x", "delay=1e3", "at=", "at=-1", "at=1.5", "at=x",
        "at=18446744073709551615", "at=99999999999999999999", "delay=1&at=1"}) {
    CAPTURE(bad);
    CHECK(refused("to=alice&" + std::string(bad), "x") == "bad_time");
    CHECK(refused(bad, R"([{"to":"alice"}])", kJson) == "bad_time");
  }
  CHECK(refused("", R"({"to":"alice","delay":1,"at":1})", kJson) == "bad_time");
  CHECK(refused("", R"({"to":"alice","delay":2592001})", kJson) == "bad_time");
  CHECK(refused("to=alice&delay=1&delay=1", "x") == "repeated_parameter");
}

TEST_CASE_FIXTURE(Pushing, "a batch mixes messages for now and for later") {
  push("delay=2", R"([{"to":"alice","at":1},{"to":["bob"]},{"to":"carol","delay":0}])", kJson);
  REQUIRE(store.pushes.size() == 1);
  REQUIRE(calendar.additions.size() == 1);
  settle(Pushed{{5, 6}, 1, true});
  calendar.additions[0].then({Scheduled{"bob.1a1ff7b9eeb00007", 7}});
  CHECK(peer.answer().status() == 400);
  CHECK(peer.answer().body.starts_with(
      R"({"results":[{"to":"alice","id":"5-6","queued":1,"waiting":true},)"
      R"({"to":"bob","scheduled":"bob.1a1ff7b9eeb00007","at":7},)"
      R"({"to":"carol","error":{"code":"bad_time")"));
}

TEST_CASE_FIXTURE(Pushing,
                  "a push that is repeated, and was scheduled before, is answered by that") {
  push("to=alice&at=1", "x");
  settle(Pushed{.id = {}, .replayed = true, .scheduled = "alice.1a1ff7b9eeb00007"});
  CHECK(peer.answer().status() == 202);
  CHECK(peer.answer().body == "{\"scheduled\":\"alice.1a1ff7b9eeb00007\",\"at\":1795287654123}\n");
}

TEST_CASE_FIXTURE(Pushing, "a calendar that takes a message for some says so for each") {
  push("to=alice,bob&delay=1", "x");
  REQUIRE(calendar.additions.size() == 1);
  CHECK(calendar.additions[0].users == std::vector<std::string>{"alice", "bob"});
  calendar.additions[0].then(
      {Scheduled{"alice.1a1ff7b9eeb00007", 7}, Error{Code::schedule_full, "full"}});
  CHECK(peer.answer().status() == 409);
  CHECK(peer.answer().body ==
        R"({"results":[{"to":"alice","scheduled":"alice.1a1ff7b9eeb00007","at":7},)"
        R"({"to":"bob","error":{"code":"schedule_full","message":"full","terminal":true,)"
        "\"retry_after_ms\":0}}]}\n");
}

// --- how much at a time ------------------------------------------------------------------------

TEST_CASE_FIXTURE(Pushing, "a long message to many users has at most a mebibyte on its way") {
  std::string body(600'000, 'x');
  SUBCASE("as text") { push("to=alice,bob,carol", body); }
  SUBCASE("in an envelope") {
    push("", R"({"to":["alice","bob","carol"],"data":")" + body + "\"}", kJson);
  }
  CHECK(store.pushes.size() == 2);
  settle(Pushed{});
  REQUIRE(store.pushes.size() == 2);
  CHECK(store.pushes.back().user == "carol");
  settle(Pushed{});
  CHECK_FALSE(peer.answered());
  settle(Pushed{});
  CHECK(peer.answer().status() == 202);
}

TEST_CASE_FIXTURE(Pushing, "a push is refused while the most that may wait for the store waits") {
  const std::string body(600'000, 'x');
  FakePeer first;
  FakePeer second;
  FakePeer third;
  for (FakePeer* one : {&first, &second, &third}) push_as(*one, "to=alice,bob,carol", body);
  push("to=dave", body);
  CHECK(peer.answer().status() == 503);
  CHECK(field(peer.answer().body, "code") == "overloaded");
  CHECK(peer.answer().header("Retry-After") != "");
  while (!store.pushes.empty()) settle(Pushed{});
  CHECK_MESSAGE(third.answered(), "the others are not answered yet");
  FakePeer again;
  push_as(again, "to=dave", body);
  CHECK_MESSAGE(store.pushes.size() == 1, "a push that comes after them is not refused");
}

}  // namespace
}  // namespace letterbox::test
