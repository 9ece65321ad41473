// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "handlers/poll.h"
#include "requests/gate.h"
#include "secret/digest.h"
#include "tests/unit/fake_entrance.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_presence.h"

namespace letterbox::test {
namespace {

constexpr uint64_t kMinute = 60'000;

struct AtTheGate : FakeEntrance {
  // A poll of a client of alice's, with that query or token.
  FakePeer& poll(const std::string& query, std::string_view token = "") {
    Request request;
    const std::string authorization = "Bearer " + std::string(token);
    if (!token.empty()) request.authorization = authorization;
    request.remote_addr = "192.0.2.1";
    auto& peer = peers.emplace_back(std::make_unique<FakePeer>());
    handler.poll(request, Query::parse("after=1795000000000-4&" + query).value(), peer->owed());
    return *peer;
  }
  // A poll with a token that was issued here.
  std::string new_token() {
    std::string token = make_token("alice");
    access.hand_out(sha256_hex(token));
    return token;
  }
  static std::string code_of(FakePeer& peer) { return field(peer.answer().body, "code"); }
  static std::string reason_of(FakePeer& peer) { return field(peer.answer().body, "reason"); }

  FakePresence presence;
  PresenceBook book{loop, presence, 10};
  Entrance entrance{desk, gate, room, book};
  PollHandler handler{gate, entrance, {.timeout_ms = 25'000, .timeout_max_ms = 50'000}};
  std::vector<std::unique_ptr<FakePeer>> peers;
};

TEST_CASE_FIXTURE(AtTheGate, "a user's first poll asks Redis for admission, the next does not") {
  const std::string token = new_token();
  poll("client=a", token);
  REQUIRE(access.admits.size() == 1);
  CHECK(access.admits.front().claim.hash == sha256_hex(token));
  CHECK(access.admits.front().address == "192.0.2.1");
  CHECK(store.reads.empty());
  access.answer_admit();
  CHECK(store.reads.size() == 1);
  poll("client=b", token);
  CHECK(store.reads.size() == 2);
  CHECK(access.asked == 1);
}

TEST_CASE_FIXTURE(AtTheGate,
                  "credentials that a browser adds by itself admit no page of an unnamed site") {
  access.at_once = true;
  const std::string token = new_token();
  const std::string cookie = "a=b; letterbox_token=" + token;
  const std::string bearer = "Bearer " + token;
  const auto code = [&](const auto& change, std::string_view site, std::string_view origin) {
    Request request;
    request.fetch_site = site;
    request.origin = origin;
    change(request);
    FakePeer peer;
    handler.poll(request, Query::parse("after=0&timeout=0&token=" + token).value(), peer.owed());
    std::string refusal = peer.answered() ? field(peer.answer().body, "code") : "";
    store.reads.clear();
    return refusal;
  };
  const auto by_cookie = [&](Request& request) { request.cookie = cookie; };
  const auto by_nginx = [](Request& request) { request.mailbox_user = "alice"; };
  CHECK(code(by_cookie, "cross-site", "") == "cross_site");
  CHECK(code(by_nginx, "cross-site", "") == "cross_site");
  for (const auto origin : {"null", "https://evil.example", "https://named.example.evil.example"}) {
    CHECK(code(by_cookie, "cross-site", origin) == "cross_site");
    CHECK(code(by_nginx, "cross-site", origin) == "cross_site");
  }
  CHECK(code(by_cookie, "cross-site", "https://named.example").empty());
  CHECK(code(by_nginx, "cross-site", "https://named.example").empty());
  // From the same site, typed in, or from something that is no browser.
  for (const auto site : {"same-origin", "same-site", "none", ""}) {
    CHECK(code(by_cookie, site, "").empty());
    CHECK(code(by_nginx, site, "").empty());
  }
  // A credential that a page must know to send it is believed.
  CHECK(code([&](Request& request) { request.authorization = bearer; }, "cross-site", "null")
            .empty());
  CHECK(code([](const Request&) {}, "cross-site", "null").empty());
}

TEST_CASE_FIXTURE(AtTheGate, "a client that may not come in is told why, and nothing is read") {
  access.at_once = true;
  CHECK(code_of(poll("", make_token("alice"))) == "bad_token");
  CHECK(code_of(poll("", "anything")) == "bad_token");
  CHECK(poll("", "anything").answer().status() == 401);
  access.standings["alice"].kicked = {clock.wall_ms(), wall_in(1000), "shouting"};
  CHECK(code_of(poll("user=alice")) == "kicked");
  CHECK(poll("user=alice").answer().status() == 403);
  access.lock_out("alice");
  CHECK(code_of(poll("user=alice")) == "locked");
  CHECK(store.reads.empty());
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(AtTheGate, "a token of another form is refused without asking") {
  CHECK(code_of(poll("", "lb_x")) == "bad_token");
  CHECK(access.asked == 0);
}

TEST_CASE_FIXTURE(AtTheGate,
                  "while Redis is away a client that is not cached is told to come back") {
  FakePeer& peer = poll("user=alice");
  access.answer_admit(away());
  CHECK(peer.answer().status() == 503);
  CHECK(code_of(peer) == "store_unavailable");
}

TEST_CASE_FIXTURE(AtTheGate, "a notice that comes between admission and entering is not missed") {
  FakePeer& peer = poll("user=alice");
  const auto admit = std::move(access.admits.front());
  access.admits.clear();
  access.lock_out("alice");
  review.changed(desk, access, "alice");  // finds no poll in the room
  CHECK(access.admits.empty());
  admit.then(Admission{.claim = admit.claim});  // as it was before the notice
  access.answer_admit();
  CHECK(reason_of(peer) == "kicked");
}

TEST_CASE_FIXTURE(AtTheGate, "nor is a notice that came while none were heard") {
  FakePeer& peer = poll("user=alice");
  const auto admit = std::move(access.admits.front());
  access.admits.clear();
  cache.shut();
  access.lock_out("alice");
  review.listening(desk, access);
  admit.then(Admission{.claim = admit.claim});
  access.answer_admit();
  CHECK(reason_of(peer) == "kicked");
}

TEST_CASE_FIXTURE(AtTheGate, "without a notice no claim is looked at twice") {
  poll("user=alice");
  access.answer_admit();
  CHECK(access.asked == 1);
}

TEST_CASE_FIXTURE(AtTheGate, "after a minute Redis is asked again while the poll goes on") {
  poll("user=alice&client=a");
  access.answer_admit();
  clock.pass(kMinute);
  poll("user=alice&client=b");
  REQUIRE(access.admits.size() == 1);
  CHECK(access.admits.front().address == "192.0.2.1");
  CHECK(store.reads.size() == 2);
  access.answer_admit();
  CHECK(room.size() == 2);
}

TEST_CASE_FIXTURE(
    AtTheGate,
    "a claim that went bad without a notice is found after a minute, and its polls end") {
  FakePeer& older = poll("user=alice&client=a");
  access.answer_admit();
  clock.pass(kMinute);
  FakePeer& newer = poll("user=alice&client=b");
  access.lock_out("alice");
  access.answer_admit();  // that of the newer poll
  access.answer_admit();  // the look at the parked polls
  CHECK(reason_of(older) == "kicked");
  CHECK(reason_of(newer) == "kicked");
  access.at_once = true;
  CHECK(code_of(poll("user=alice")) == "locked");
}

TEST_CASE_FIXTURE(AtTheGate, "if Redis is away then, cached admissions stay") {
  poll("user=alice&client=a");
  access.answer_admit();
  clock.pass(kMinute);
  poll("user=alice&client=b");
  access.answer_admit(away());
  CHECK(access.admits.empty());
  CHECK(room.size() == 2);
  poll("user=alice&client=c");
  CHECK(access.asked == 2);
}

TEST_CASE_FIXTURE(AtTheGate, "a signed token is good without a record, until it ends") {
  access.at_once = true;
  const std::string token = signed_token(10);
  FakePeer& peer = poll("", token);
  CHECK(store.reads.front().user == "alice");
  answer_read(nothing_after(id(4)));
  CHECK_FALSE(peer.answered());
  tick_after(16'000);  // including the leeway
  CHECK(reason_of(peer) == "kicked");
  CHECK(code_of(poll("", token)) == "bad_token");
}

TEST_CASE_FIXTURE(AtTheGate,
                  "the end of a token's life ends its parked poll, and not a shorter one") {
  access.at_once = true;
  const std::string token = make_token("alice");
  access.hand_out(sha256_hex(token)).expires_ms = wall_in(3000);
  FakePeer& shorter = poll("client=a&timeout=2", token);
  answer_read(nothing_after(id(4)));
  FakePeer& longer = poll("client=b", token);  // waits with a cursor that is up to date
  tick_after(2000);
  CHECK(reason_of(shorter) == "timeout");
  CHECK_FALSE(longer.answered());
  tick_after(1000);
  CHECK(reason_of(longer) == "kicked");
  CHECK(code_of(poll("", token)) == "bad_token");
}

TEST_CASE_FIXTURE(AtTheGate, "a poll by a sliding token waits beyond the token's old end") {
  access.at_once = true;
  const std::string token = make_token("alice");
  Token& record = access.hand_out(sha256_hex(token));
  record.slide_ms = 60'000;
  record.expires_ms = wall_in(3000);
  FakePeer& peer = poll("timeout=20", token);
  answer_read(nothing_after(id(4)));
  tick_after(10'000);
  CHECK_FALSE(peer.answered());
  tick_after(10'000);
  CHECK(reason_of(peer) == "timeout");
}

TEST_CASE_FIXTURE(AtTheGate, "a poll by a sliding token comes back in half of the token's life") {
  access.at_once = true;
  const std::string token = make_token("alice");
  access.hand_out(sha256_hex(token)).slide_ms = 10'000;
  FakePeer& peer = poll("timeout=20", token);
  answer_read(nothing_after(id(4)));
  tick_after(4999);
  CHECK_FALSE(peer.answered());
  tick_after(1);
  CHECK(reason_of(peer) == "timeout");
}

TEST_CASE_FIXTURE(AtTheGate, "after a minute a poll by a sliding token waits for what Redis says") {
  const std::string token = make_token("alice");
  access.hand_out(sha256_hex(token)).slide_ms = 3'600'000;
  FakePeer& older = poll("client=a", token);
  access.answer_admit();
  clock.pass(kMinute);
  FakePeer& newer = poll("client=b", token);
  CHECK(store.reads.size() == 1);
  SUBCASE("it is good") {
    access.answer_admit();
    CHECK(store.reads.size() == 2);
    CHECK(room.size() == 2);
  }
  SUBCASE("it has gone without a notice") {
    access.records.clear();
    access.answer_admit();  // the question of the newer poll
    CHECK(code_of(newer) == "bad_token");
    access.answer_admit();  // the look at who waits
    CHECK(reason_of(older) == "kicked");
  }
}

TEST_CASE_FIXTURE(AtTheGate, "a token for one client polls as that client, and as no other") {
  access.at_once = true;
  const std::string token = make_token("alice");
  access.hand_out(sha256_hex(token)).client = "tab";
  poll("", token);
  CHECK(store.reads.back().client == "tab");
  poll("client=tab", token);
  CHECK(store.reads.back().client == "tab");
  const size_t reads = store.reads.size();
  FakePeer& other = poll("client=phone", token);
  CHECK(other.answer().status() == 403);
  CHECK(code_of(other) == "other_client");
  CHECK(store.reads.size() == reads);
}

TEST_CASE_FIXTURE(AtTheGate,
                  "a token reads its own user's mailbox, whatever user the query names") {
  access.at_once = true;
  poll("user=bob", new_token());
  CHECK(store.reads.back().user == "alice");
}

TEST_CASE_FIXTURE(AtTheGate, "a poll with a wrong parameter is refused before anything is asked") {
  CHECK(code_of(poll("timeout=x", new_token())) == "bad_timeout");
  CHECK(access.asked == 0);
}

}  // namespace
}  // namespace letterbox::test
