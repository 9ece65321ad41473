// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "handlers/standing.h"
#include "requests/parameters.h"
#include "tests/unit/fake_access.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_reply_to.h"
#include "tests/unit/fake_store.h"

namespace letterbox::test {
namespace {

struct Judging {
  using Handle = void (StandingHandler::*)(const Request&, Answer) const;

  void ask(Handle handle, std::string body) {
    Request request;
    request.body = std::move(body);
    (handler.*handle)(request, peer.owed());
  }
  std::string refused(Handle handle, std::string body) {
    FakePeer another;
    Request request;
    request.body = std::move(body);
    (handler.*handle)(request, another.owed());
    CHECK(another.answer().status() == 400);
    return field(another.answer().body, "code");
  }
  bool nothing_asked() const {
    return access.kicks.empty() && access.locks.empty() && access.unlocks.empty();
  }

  FakeClock clock;
  FakeAccess access{clock};
  FakePeer peer;
  StandingHandler handler{access};
};

TEST_CASE_FIXTURE(Judging,
                  "a kicked user is kept out for a minute, unless the kick says otherwise") {
  ask(&StandingHandler::kick, R"({"user":"alice"})");
  CHECK_FALSE(peer.answered());
  REQUIRE(access.kicks.size() == 1);
  CHECK(access.kicks.front().user == "alice");
  CHECK(access.kicks.front().reason.empty());
  CHECK(access.kicks.front().for_ms == 60'000);
  access.kicks.front().then(true);
  CHECK(peer.answer().status() == 200);
  CHECK(peer.answer().body == "{\"kicked\":true}\n");
}

TEST_CASE_FIXTURE(Judging, "a kick says for how long and why") {
  ask(&StandingHandler::kick, R"({"user":"alice","for":0.25,"reason":"\u00fcber \"it\""})");
  CHECK(access.kicks.front().for_ms == 250);
  CHECK(access.kicks.front().reason == "über \"it\"");
  ask(&StandingHandler::kick, R"({"user":"alice","for":0})");
  CHECK(access.kicks.back().for_ms == 0);
  ask(&StandingHandler::kick, R"({"user":"alice","for":2592000})");
  CHECK(access.kicks.back().for_ms == 2'592'000'000);
}

TEST_CASE_FIXTURE(Judging, "a lock is confirmed") {
  ask(&StandingHandler::lock, R"({"user":"alice","reason":"unpaid"})");
  REQUIRE(access.locks.size() == 1);
  CHECK(access.locks.front().user == "alice");
  CHECK(access.locks.front().reason == "unpaid");
  access.locks.front().then(true);
  CHECK(peer.answer().status() == 200);
  CHECK(peer.answer().body == "{\"locked\":true}\n");
}

TEST_CASE_FIXTURE(Judging, "an unlock says whether there was a lock") {
  bool was = false;
  SUBCASE("there was") { was = true; }
  SUBCASE("there was not") {}
  ask(&StandingHandler::unlock, R"({"user":"alice"})");
  REQUIRE(access.unlocks.size() == 1);
  CHECK(access.unlocks.front().first == "alice");
  access.unlocks.front().second(was);
  CHECK(peer.answer().status() == 200);
  CHECK(peer.answer().body == (was ? "{\"locked\":false,\"was_locked\":true}\n"
                                   : "{\"locked\":false,\"was_locked\":false}\n"));
}

TEST_CASE_FIXTURE(Judging, "each fault of an order has the contract's code") {
  for (const auto handle :
       {&StandingHandler::kick, &StandingHandler::lock, &StandingHandler::unlock}) {
    CHECK(refused(handle, "") == "bad_json");
    CHECK(refused(handle, "[]") == "bad_request");
    CHECK(refused(handle, "{}") == "missing_user");
    CHECK(refused(handle, R"({"user":"a b"})") == "bad_user");
    CHECK(refused(handle, R"({"user":null})") == "bad_request");
    CHECK(refused(handle, R"({"user":"a","reason":7})") == "bad_request");
    for (const auto bad : {"-1", "2592001", R"("60")", "1e3", "null", "[]"}) {
      CAPTURE(bad);
      CHECK(refused(handle, std::string(R"({"user":"a","for":)") + bad + "}") == "bad_request");
    }
  }
  CHECK(nothing_asked());
}

TEST_CASE_FIXTURE(Judging, "a reason has at most 200 characters, however many bytes they take") {
  std::string reason;
  for (int i = 0; i < 200; ++i) reason += "é";
  ask(&StandingHandler::lock, R"({"user":"a","reason":")" + reason + "\"}");
  CHECK(access.locks.front().reason == reason);
  access.locks.clear();
  CHECK(refused(&StandingHandler::lock, R"({"user":"a","reason":")" + reason + "x\"}") ==
        "bad_request");
  CHECK(nothing_asked());
}

TEST_CASE_FIXTURE(Judging, "while the store is away no answer claims a kick, a lock or an unlock") {
  SUBCASE("kicked") {
    ask(&StandingHandler::kick, R"({"user":"alice"})");
    access.kicks.front().then(away());
  }
  SUBCASE("locked") {
    ask(&StandingHandler::lock, R"({"user":"alice"})");
    access.locks.front().then(away());
  }
  SUBCASE("unlocked") {
    ask(&StandingHandler::unlock, R"({"user":"alice"})");
    access.unlocks.front().second(away());
  }
  CHECK(peer.answer().status() == 503);
  CHECK(field(peer.answer().body, "code") == "store_unavailable");
}

TEST_CASE_FIXTURE(Judging, "an order too long to be read is refused as too large") {
  Request request;
  request.body_too_large = true;
  handler.lock(request, peer.owed());
  CHECK(peer.answer().status() == 413);
}

// --- orders ------------------------------------------------------------------------------------

TEST_CASE("a missing member is none, and a member of another kind is an error") {
  const auto members = json_members(R"({"text":"a","empty":"","number":1.5,"list":["a"]})").value();
  CHECK(text_member(members, "text").value() == "a");
  CHECK(text_member(members, "empty").value() == "");
  CHECK_FALSE(text_member(members, "none").value().has_value());
  CHECK(text_member(members, "number").error() ==
        Error{Code::bad_request, "'number' must be a string"});
  CHECK_FALSE(text_member(members, "list"));
  CHECK(seconds_member(members, "number", 1500).value() == 1500);
  CHECK_FALSE(seconds_member(members, "none", 1500).value().has_value());
  CHECK(seconds_member(members, "number", 1499).error() ==
        Error{Code::bad_request, "'number' must be a number of seconds, at most 1"});
  CHECK_FALSE(seconds_member(members, "text", 1500));
}

TEST_CASE("an order without a user is refused in the form in which it was made") {
  CHECK(named_user(Query::parse("user=alice").value()).value() == "alice");
  CHECK(named_user(Query::parse("").value()).error() ==
        Error{Code::missing_user, "say which user: user=NAME"});
  CHECK(user_member(json_members(R"({"user":"alice"})").value()).value() == "alice");
  CHECK(user_member({}).error() == Error{Code::missing_user, R"(say which user: {"user":"NAME"})"});
}

}  // namespace
}  // namespace letterbox::test
