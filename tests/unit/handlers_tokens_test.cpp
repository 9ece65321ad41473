// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "handlers/tokens.h"
#include "requests/identity.h"
#include "secret/digest.h"
#include "tests/unit/fake_access.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_reply_to.h"
#include "tests/unit/fake_store.h"

namespace letterbox::test {
namespace {

struct Handing {
  void issue(std::string body) {
    Request request;
    request.body = std::move(body);
    handler.issue(request, peer.owed());
  }
  // The token that is kept for such a request.
  const FakeAccess::Issue& issued(std::string body) {
    access.issues.clear();
    FakePeer another;
    Request request;
    request.body = std::move(body);
    handler.issue(request, another.owed());
    REQUIRE(access.issues.size() == 1);
    return access.issues.front();
  }
  std::string refused(std::string body) const {
    FakePeer another;
    Request request;
    request.body = std::move(body);
    handler.issue(request, another.owed());
    CHECK(access.issues.empty());
    CHECK(another.answer().status() == 400);
    return field(another.answer().body, "code");
  }
  std::string code() { return field(peer.answer().body, "code"); }

  FakeClock clock;
  FakeAccess access{clock};
  FakePeer peer;
  TokenHandler handler{access, clock, {.life_ms = 86'400'000, .most = 7}};
};

TEST_CASE_FIXTURE(Handing, "a token is told once, and only its hash is kept") {
  issue(R"({"user":"alice"})");
  CHECK_FALSE(peer.answered());
  REQUIRE(access.issues.size() == 1);
  const auto& issue = access.issues.front();
  issue.then(true);
  CHECK(peer.answer().status() == 201);
  CHECK(peer.answer().header("Cache-Control") == "no-store");
  const std::string token = field(peer.answer().body, "token");
  CHECK(token.starts_with("lb_"));
  CHECK(issue.user == "alice");
  CHECK(issue.hash == sha256_hex(token));
  CHECK(issue.token.id.find(token.substr(3)) == std::string::npos);
  CHECK(issue.most == 7);
  const auto claim = to_claim({.token = token}, {}, clock.wall_ms());
  REQUIRE(claim);
  CHECK(claim->user == "alice");
}

TEST_CASE_FIXTURE(
    Handing,
    "a token has the default life and is for any client, unless the request says otherwise") {
  const Token token = issued(R"({"user":"alice"})").token;
  CHECK(token.id.starts_with("alice."));
  CHECK(token.id.size() == 6 + 16);
  CHECK(token.id.substr(6).find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(token.created_ms == clock.wall_ms());
  CHECK(token.expires_ms == clock.wall_ms() + 86'400'000);
  CHECK(token.used_ms == 0);
  CHECK(token.client.empty());
  CHECK(token.address.empty());
  CHECK(token.data.empty());
  CHECK(issued(R"({"user":"alice"})").token.id != token.id);
}

TEST_CASE_FIXTURE(Handing, "ttl, client and data are those of the request") {
  const Token token =
      issued(R"({"user":"alice","ttl":0.5,"client":"tab","data":{"a": [ 1 ]},"x":1})").token;
  CHECK(token.expires_ms == clock.wall_ms() + 500);
  CHECK(token.client == "tab");
  CHECK(token.data == R"({"a":[1]})");
  CHECK(issued(R"({"user":"alice","ttl":31622400,"data":null})").token.expires_ms ==
        clock.wall_ms() + 31'622'400'000);
  CHECK(issued(R"({"user":"alice","data":")" + std::string(4094, 'x') + "\"}").token.data.size() ==
        4096);
}

TEST_CASE_FIXTURE(Handing, "a token slides by its own ttl, if its maker says that it slides") {
  CHECK(issued(R"({"user":"alice","ttl":60,"sliding":true})").token.slide_ms == 60'000);
  CHECK(issued(R"({"user":"alice","sliding":true})").token.slide_ms == 86'400'000);
  CHECK(issued(R"({"user":"alice","ttl":60,"sliding":false})").token.slide_ms == 0);
  CHECK(issued(R"({"user":"alice","ttl":60})").token.slide_ms == 0);
}

TEST_CASE_FIXTURE(Handing, "each fault of a request for a token has the contract's code") {
  for (const auto bad : {"", "{", "user=alice"}) {
    CAPTURE(bad);
    CHECK(refused(bad) == "bad_json");
  }
  CHECK(refused("{}") == "missing_user");
  CHECK(refused(R"({"user":""})") == "bad_user");
  CHECK(refused(R"({"user":"a b"})") == "bad_user");
  CHECK(refused(R"({"user":"alice","client":""})") == "bad_client");
  CHECK(refused(R"({"user":"alice","client":"a b"})") == "bad_client");
  for (const auto bad : {"[]", R"({"user":7})", R"({"user":"alice","user":"bob"})",
                         R"({"user":"alice","ttl":0})", R"({"user":"alice","ttl":-1})",
                         R"({"user":"alice","ttl":"60"})", R"({"user":"alice","ttl":31622401})",
                         R"({"user":"alice","ttl":null})", R"({"user":"alice","ttl":1e3})",
                         R"({"user":"alice","client":7})", R"({"user":"alice","sliding":"true"})",
                         R"({"user":"alice","sliding":1})", R"({"user":"alice","sliding":null})"}) {
    CAPTURE(bad);
    CHECK(refused(bad) == "bad_request");
  }
  CHECK(refused(R"({"user":"alice","data":")" + std::string(4095, 'x') + "\"}") == "bad_request");
}

TEST_CASE_FIXTURE(Handing, "a request for a token too long to be read is refused as too large") {
  Request request;
  request.body_too_large = true;
  handler.issue(request, peer.owed());
  CHECK(peer.answer().status() == 413);
  CHECK(code() == "too_large");
}

TEST_CASE_FIXTURE(Handing, "a token is not told if the store may not have kept it") {
  issue(R"({"user":"alice"})");
  access.issues.front().then(away());
  CHECK(peer.answer().status() == 503);
  CHECK(peer.answer().body.find("lb_") == std::string::npos);
}

TEST_CASE_FIXTURE(Handing, "the document that tells a token says all of it except its hash") {
  issue(R"({"user":"alice","ttl":60,"client":"tab"})");
  const auto& issue = access.issues.front();
  issue.then(true);
  const std::string token = field(peer.answer().body, "token");
  CHECK(peer.answer().body == R"({"token":")" + token + R"(","id":")" + issue.token.id +
                                  R"(","user":"alice","expires":)" +
                                  std::to_string(clock.wall_ms() + 60'000) + "}\n");
}

// --- listing -----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Handing, "a user's tokens are listed, without the secrets") {
  handler.list(Query::parse("user=alice").value(), peer.owed());
  CHECK_FALSE(peer.answered());
  REQUIRE(access.lists.size() == 1);
  CHECK(access.lists.front().first == "alice");
  access.lists.front().second(std::vector<Token>{
      {"alice.1", 5, 50, 0, 0, "", "", ""}, {"alice.2", 6, 60, 54, 16, "tab", "192.0.2.1", "[1]"}});
  CHECK(peer.answer().status() == 200);
  CHECK(peer.answer().body ==
        R"({"user":"alice","tokens":[)"
        R"({"id":"alice.1","created":5,"expires":50,"used":null,"address":null,"client":null,)"
        R"("data":null,"sliding":false},)"
        R"({"id":"alice.2","created":6,"expires":60,"used":16,"address":"192.0.2.1",)"
        "\"client\":\"tab\",\"data\":[1],\"sliding\":true}]}\n");
}

TEST_CASE_FIXTURE(Handing, "a user without tokens has an empty list") {
  handler.list(Query::parse("user=alice").value(), peer.owed());
  access.lists.front().second(std::vector<Token>{});
  CHECK(peer.answer().body == "{\"user\":\"alice\",\"tokens\":[]}\n");
}

TEST_CASE_FIXTURE(Handing, "a list is for one user, who must be named") {
  std::string query;
  std::string expected;
  SUBCASE("no user") { expected = "missing_user"; }
  SUBCASE("a bad name") {
    query = "user=a/b";
    expected = "bad_user";
  }
  SUBCASE("two") {
    query = "user=a&user=b";
    expected = "repeated_parameter";
  }
  handler.list(Query::parse(query).value(), peer.owed());
  CHECK(code() == expected);
  CHECK(access.lists.empty());
}

TEST_CASE_FIXTURE(Handing, "while the store is away nothing is listed or revoked") {
  SUBCASE("listed") {
    handler.list(Query::parse("user=alice").value(), peer.owed());
    access.lists.front().second(away());
  }
  SUBCASE("revoked") {
    handler.revoke(Query::parse("user=alice").value(), peer.owed());
    access.revocations.front().then(away());
  }
  CHECK(peer.answer().status() == 503);
}

// --- revoking ----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Handing, "all tokens of a user are revoked, or the one with that id") {
  std::string id;
  SUBCASE("all") { handler.revoke(Query::parse("user=alice").value(), peer.owed()); }
  SUBCASE("one") {
    id = "alice.0123456789abcdef";
    handler.revoke(Query::parse("id=" + id).value(), peer.owed());
  }
  REQUIRE(access.revocations.size() == 1);
  CHECK(access.revocations.front().user == "alice");
  CHECK(access.revocations.front().id == id);
  access.revocations.front().then(uint64_t{3});
  CHECK(peer.answer().status() == 200);
  CHECK(peer.answer().body == "{\"revoked\":3}\n");
}

TEST_CASE_FIXTURE(Handing,
                  "a user's name may have dots: an id's user is what comes before the last dot") {
  handler.revoke(Query::parse("id=a.b.c.0123456789abcdef").value(), peer.owed());
  REQUIRE(access.revocations.size() == 1);
  CHECK(access.revocations.front().user == "a.b.c");
  CHECK(access.revocations.front().id == "a.b.c.0123456789abcdef");
}

TEST_CASE_FIXTURE(Handing, "a revocation names a user or an id, not both") {
  for (const auto& one :
       {std::pair("", "missing_user"), std::pair("user=a/b", "bad_user"),
        std::pair("user=a&user=a", "repeated_parameter"),
        std::pair("id=a.1&id=a.1", "repeated_parameter"), std::pair("user=a&id=a.1", "bad_request"),
        std::pair("id=", "bad_request"), std::pair("id=alice", "bad_request"),
        std::pair("id=.1", "bad_request"), std::pair("id=a%20b.1", "bad_request")}) {
    CAPTURE(one.first);
    FakePeer another;
    handler.revoke(Query::parse(one.first).value(), another.owed());
    CHECK(another.answer().status() == 400);
    CHECK(field(another.answer().body, "code") == one.second);
  }
  CHECK(access.revocations.empty());
}

}  // namespace
}  // namespace letterbox::test
