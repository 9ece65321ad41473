// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "handlers/alive.h"
#include "secret/digest.h"
#include "tests/unit/fake_entrance.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_presence.h"

namespace letterbox::test {
namespace {

struct Living : FakeEntrance {
  Living() { access.at_once = true; }

  void alive(const std::string& query, std::string_view token = "") {
    Request request;
    const std::string authorization = "Bearer " + std::string(token);
    if (!token.empty()) request.authorization = authorization;
    request.remote_addr = "192.0.2.1";
    handler.alive(request, Query::parse(query).value(), peer.owed());
  }
  std::string code() { return field(peer.answer().body, "code"); }

  FakePeer peer;
  FakePresence presence;
  PresenceBook book{loop, presence, 10};
  AliveHandler handler{desk, gate, book, 20'000};
};

TEST_CASE_FIXTURE(
    Living, "a client that nginx vouches for is told its user, what is unread, and the time") {
  alive("user=alice&client=tab");
  REQUIRE(store.unreads.size() == 1);
  CHECK(store.unreads.front().user == "alice");
  CHECK(store.unreads.front().client == "tab");
  store.unreads.front().then(uint64_t{2});
  CHECK(peer.answer().status() == 200);
  CHECK(peer.answer().header("Cache-Control") == "no-store");
  CHECK(peer.answer().body == R"({"user":"alice","unread":2,"time":)" +
                                  std::to_string(clock.wall_ms()) +
                                  ",\"expires\":null,\"data\":null}\n");
}

TEST_CASE_FIXTURE(Living, "a client with a token is told when it ends, and its data") {
  const std::string token = make_token("alice");
  Token& record = access.hand_out(sha256_hex(token));
  record.data = R"({"name":"Alice","roles":[1,null]})";
  alive("", token);
  REQUIRE(store.unreads.size() == 1);
  store.unreads.front().then(uint64_t{0});
  CHECK(peer.answer().body == R"({"user":"alice","unread":0,"time":)" +
                                  std::to_string(clock.wall_ms()) + R"(,"expires":)" +
                                  std::to_string(record.expires_ms) + R"(,"data":)" + record.data +
                                  "}\n");
}

TEST_CASE_FIXTURE(Living, "the unread messages are those of the client that asks") {
  alive("user=alice");
  REQUIRE(store.unreads.size() == 1);
  CHECK(store.unreads.front().client.empty());
  CHECK(store.views.empty());
}

TEST_CASE_FIXTURE(Living, "a heartbeat uses the token, and asks about it once") {
  access.at_once = false;
  const std::string token = make_token("alice");
  access.hand_out(sha256_hex(token));
  alive("", token);
  REQUIRE(access.admits.size() == 1);
  CHECK(access.admits.front().address == "192.0.2.1");
  CHECK(store.unreads.empty());
  access.answer_admit();
  CHECK(store.unreads.size() == 1);
  FakePeer another;
  Request request;
  const std::string cookie = "letterbox_token=" + token;
  request.cookie = cookie;
  handler.alive(request, Query::parse("").value(), another.owed());
  CHECK(store.unreads.size() == 2);
  CHECK(access.asked == 1);
}

TEST_CASE_FIXTURE(Living, "a client that may not come in is told why") {
  std::string expected;
  SUBCASE("no user") {
    expected = "no_identity";
    alive("");
  }
  SUBCASE("a bad name") {
    expected = "bad_user";
    alive("user=a/b");
  }
  SUBCASE("a bad client") {
    expected = "bad_client";
    alive("user=alice&client=");
  }
  SUBCASE("two clients") {
    expected = "repeated_parameter";
    alive("user=alice&client=a&client=a");
  }
  SUBCASE("a bad token") {
    expected = "bad_token";
    alive("", make_token("alice"));
  }
  SUBCASE("locked out") {
    expected = "locked";
    access.lock_out("alice");
    alive("user=alice");
  }
  SUBCASE("a token for another client") {
    expected = "other_client";
    const std::string token = make_token("alice");
    access.hand_out(sha256_hex(token)).client = "tab";
    alive("client=phone", token);
  }
  CHECK(peer.answer().status() >= 400);
  CHECK(code() == expected);
  CHECK(store.unreads.empty());
}

TEST_CASE_FIXTURE(Living, "while the store is away it is 503") {
  alive("user=alice");
  store.unreads.front().then(away());
  CHECK(peer.answer().status() == 503);
  CHECK(code() == "store_unavailable");
}

TEST_CASE_FIXTURE(Living, "if the mailbox is broken it is 409, for good") {
  alive("user=alice");
  store.unreads.front().then(broken_data("base:{alice} can't be read"));
  CHECK(peer.answer().status() == 409);
  CHECK(code() == "broken_data");
}

TEST_CASE_FIXTURE(Living, "a heartbeat makes the client online, as a poll does") {
  alive("user=alice&client=tab");
  clock.pass(1'000);
  run_timers();
  REQUIRE(presence.batches.size() == 1);
  REQUIRE(presence.batches.front().notes.size() == 1);
  const auto& note = presence.batches.front().notes.front();
  CHECK(note.user == "alice");
  CHECK(note.client.name == "tab");
  CHECK(note.client.address == "192.0.2.1");
  CHECK(note.client.until_ms >= wall_in(29'000));
}

}  // namespace
}  // namespace letterbox::test
