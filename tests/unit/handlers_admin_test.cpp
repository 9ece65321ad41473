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
#include "tests/unit/fake_waiting.h"

namespace letterbox::test {
namespace {

struct Administration {
  FakeClock clock;
  FakeStore store;
  FakePeer peer;
  AdminHandler handler{store, clock};

  HttpAnswer view(const Or<MailboxView>& found, std::string_view more = "") {
    handler.view(Query::parse("user=alice" + std::string(more)).value(), peer.owed());
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

TEST_CASE_FIXTURE(Administration,
                  "a mailbox is shown with its live clients, and which of them wait") {
  const uint64_t now = clock.wall_ms();
  MailboxView found;
  found.oldest = {5, 6};
  found.newest = {5, 8};
  found.queued = 3;
  found.clients = {{"tab", {5, 7}, now - 120, true, true},
                   {"", {}, now + 40, false, true},  // seen by a clock that is ahead
                   {"old", {5, 1}, now - 90'000'000, false, false}};
  const auto answer = view(found);
  CHECK(answer.status() == 200);
  CHECK(answer.body ==
        R"({"user":"alice","queued":3,"oldest":"5-6","newest":"5-8","polls":1,"clients":[)"
        R"({"client":"tab","cursor":"5-7","seen_ms_ago":120,"waiting":true},)"
        R"({"client":"","cursor":"0","seen_ms_ago":0,"waiting":false}],"cursor":"5-8"})"
        "\n");
}

TEST_CASE_FIXTURE(Administration, "an unknown mailbox is shown as empty") {
  CHECK(view(MailboxView{}).body ==
        "{\"user\":\"alice\",\"queued\":0,\"oldest\":null,\"newest\":null,\"polls\":0,"
        "\"clients\":[],\"cursor\":\"0\"}\n");
}

TEST_CASE_FIXTURE(Administration, "messages are shown if a limit or a cursor is given") {
  MailboxView found;
  found.newest = {5, 8};
  std::string query;
  Window window;
  SUBCASE("a limit") {
    query = "&limit=2";
    window = {.after = {}, .limit = 2};
  }
  SUBCASE("a cursor") {
    query = "&after=5-6";
    window = {.after = {5, 6}, .limit = 100};
  }
  SUBCASE("both") {
    query = "&after=0&limit=1000";
    window = {.after = {}, .limit = 1000};
  }
  found.messages = {{{5, 7}, kBody}, {{5, 8}, kBody}};
  const auto answer = view(found, query);
  CHECK(store.windows.front().after == window.after);
  CHECK(store.windows.front().limit == window.limit);
  CHECK(answer.body.ends_with(R"("clients":[],"cursor":"5-8","messages":[)" + message({5, 7}) +
                              "," + message({5, 8}) + "]}\n"));
}

TEST_CASE_FIXTURE(Administration, "a page without messages is an empty list") {
  CHECK(view(MailboxView{}, "&limit=1").body.ends_with("\"cursor\":\"0\",\"messages\":[]}\n"));
}

TEST_CASE_FIXTURE(Administration, "a page of messages is asked for in the words of the contract") {
  const auto refused = [this](std::string_view more) {
    FakePeer another;
    handler.view(Query::parse("user=alice" + std::string(more)).value(), another.owed());
    CHECK(another.answer().status() == 400);
    return field(another.answer().body, "code");
  };
  for (const auto limit : {"", "0", "1001", "-1", "x"}) {
    CHECK(refused("&limit=" + std::string(limit)) == "bad_limit");
  }
  for (const auto after : {"", "x", "now", "1", "5-", "5-1-2"}) {
    CHECK(refused("&after=" + std::string(after)) == "bad_request");
  }
  CHECK(refused("&limit=1&limit=2") == "repeated_parameter");
  CHECK(refused("&after=0&after=0") == "repeated_parameter");
  CHECK(store.views.empty());
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
                  "a retraction is of one message, and says whether it came in time") {
  bool retracted = false;
  SUBCASE("it did") { retracted = true; }
  SUBCASE("it did not") {}
  handler.remove(Query::parse("user=alice&id=5-7").value(), peer.owed());
  CHECK(store.removals.empty());
  REQUIRE(store.retractions.size() == 1);
  CHECK(store.retractions.front().user == "alice");
  CHECK(store.retractions.front().message == Cursor{5, 7});
  store.retractions.front().then(retracted);
  CHECK(peer.answer().status() == 200);
  CHECK(peer.answer().body == (retracted ? "{\"retracted\":true}\n" : "{\"retracted\":false}\n"));
}

TEST_CASE_FIXTURE(Administration, "an id that is none retracts nothing, and deletes no mailbox") {
  std::string more;
  std::string code = "bad_request";
  SUBCASE("empty") { more = "&id="; }
  SUBCASE("nonsense") { more = "&id=x"; }
  SUBCASE("0") { more = "&id=0"; }
  SUBCASE("of no message") { more = "&id=5-0"; }
  SUBCASE("twice") {
    more = "&id=5-1&id=5-2";
    code = "repeated_parameter";
  }
  handler.remove(Query::parse("user=alice" + more).value(), peer.owed());
  CHECK(peer.answer().status() == 400);
  CHECK(field(peer.answer().body, "code") == code);
  CHECK(store.retractions.empty());
  CHECK(store.removals.empty());
}

TEST_CASE_FIXTURE(Administration,
                  "while the store is away a mailbox can be neither shown nor removed") {
  HttpAnswer answer;
  SUBCASE("shown") { answer = view(away()); }
  SUBCASE("removed") { answer = remove(away()); }
  CHECK(answer.status() == 503);
  CHECK(answer.header("Retry-After") == "2");
}

TEST_CASE_FIXTURE(Administration, "the mailbox's user must be given, once, and by a valid name") {
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
