// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

#include "handlers/admin.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_reply_to.h"
#include "tests/unit/fake_store.h"

namespace letterbox::test {
namespace {

struct Administration {
  FakeClock clock;
  FakeStore store;
  FakePeer peer;
  AdminHandler handler{store, clock};

  HttpAnswer view(const Or<MailboxView>& found) {
    handler.view(Query::parse("user=alice").value(), peer.owed());
    CHECK_FALSE(peer.answered());
    REQUIRE(store.views.size() == 1);
    CHECK(store.views.front().first == "alice");
    store.views.front().second(found);
    return peer.answer();
  }
  HttpAnswer remove(const Or<bool>& removed) {
    handler.remove(Query::parse("user=alice").value(), peer.owed());
    REQUIRE(store.removals.size() == 1);
    CHECK(store.removals.front().first == "alice");
    store.removals.front().second(removed);
    return peer.answer();
  }
};

TEST_CASE_FIXTURE(Administration, "a mailbox is shown with its live clients, and who waits") {
  const uint64_t now = clock.wall_ms();
  MailboxView found;
  found.oldest = {5, 6};
  found.newest = {5, 8};
  found.queued = 3;
  found.clients = {{"tab", {5, 7}, now - 120, true, true},
                   {"", {}, now + 40, false, true},  // by a clock that is ahead
                   {"old", {5, 1}, now - 90'000'000, false, false}};
  const auto answer = view(found);
  CHECK(answer.status() == 200);
  CHECK(answer.body ==
        R"({"user":"alice","queued":3,"oldest":"5-6","newest":"5-8","polls":1,"clients":[)"
        R"({"client":"tab","cursor":"5-7","seen_ms_ago":120,"waiting":true},)"
        "{\"client\":\"\",\"cursor\":\"0\",\"seen_ms_ago\":0,\"waiting\":false}]}\n");
}

TEST_CASE_FIXTURE(Administration, "a mailbox that nobody knows is empty") {
  CHECK(view(MailboxView{}).body ==
        "{\"user\":\"alice\",\"queued\":0,\"oldest\":null,\"newest\":null,\"polls\":0,"
        "\"clients\":[]}\n");
}

TEST_CASE_FIXTURE(Administration, "a removal says whether there was a mailbox") {
  bool removed = false;
  SUBCASE("there was") { removed = true; }
  SUBCASE("there was not") {}
  const auto answer = remove(removed);
  CHECK(answer.status() == 200);
  CHECK(answer.body == (removed ? "{\"deleted\":true}\n" : "{\"deleted\":false}\n"));
}

TEST_CASE_FIXTURE(Administration,
                  "while the store is away a mailbox can be neither shown nor removed") {
  HttpAnswer answer;
  SUBCASE("shown") { answer = view(away()); }
  SUBCASE("removed") { answer = remove(away()); }
  CHECK(answer.status() == 503);
  CHECK(answer.header("Retry-After") == "2");
}

TEST_CASE_FIXTURE(Administration, "whose mailbox must be said, once, and by a name") {
  std::string query;
  std::string code;
  SUBCASE("not said") { code = "missing_user"; }
  SUBCASE("twice") {
    query = "user=alice&user=alice";
    code = "repeated_parameter";
  }
  SUBCASE("no name") {
    query = "user=a%0Ab";
    code = "bad_user";
  }
  handler.view(Query::parse(query).value(), peer.owed());
  CHECK(peer.answer().status() == 400);
  CHECK(field(peer.answer().body, "code") == code);
  FakePeer another;
  handler.remove(Query::parse(query).value(), another.owed());
  CHECK(field(another.answer().body, "code") == code);
  CHECK(store.views.empty());
  CHECK(store.removals.empty());
}

}  // namespace
}  // namespace letterbox::test
