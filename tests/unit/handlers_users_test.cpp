// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

#include "handlers/users.h"
#include "model/json.h"
#include "tests/unit/fake_access.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_eraser.h"
#include "tests/unit/fake_groups.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_presence.h"
#include "tests/unit/fake_reply_to.h"
#include "tests/unit/fake_store.h"

namespace letterbox::test {
namespace {

struct Asking {
  FakePresence presence;
  FakeClock clock;
  FakeAccess access{clock};
  FakePeer peer;
  FakeGroups groups;
  FakeEraser eraser;
  UsersHandler handler{presence, access, groups, eraser};

  void erase(std::string_view path) {
    Request request;
    request.path = path;
    handler.erase(request, peer.owed());
  }

  void ask(std::string_view query) { handler.view(Query::parse(query).value(), peer.owed()); }
  void answer_erasing(Or<Erased> erased) const { eraser.asked.front().second(std::move(erased)); }
  PresenceQuestion question(std::string_view query) {
    FakePeer another;
    handler.view(Query::parse(query).value(), another.owed());
    REQUIRE_FALSE(another.answered());
    REQUIRE(presence.pages.size() == 1);
    auto asked = presence.pages.front().question;
    presence.pages.clear();
    return asked;
  }
  std::string refused(std::string_view query) const {
    FakePeer another;
    handler.view(Query::parse(query).value(), another.owed());
    CHECK(another.answer().status() == 400);
    return field(another.answer().body, "code");
  }
};

PresentUser alice() {
  return {"alice",
          1'795'000'037'500,
          1'795'000'000'000,
          {{"", 1'794'999'999'000, 1'795'000'030'000, "::1", ""},
           {"tab", 1'795'000'000'000, 1'795'000'037'500, "127.0.0.1", "curl/8"}}};
}

TEST_CASE_FIXTURE(Asking, "a page shows who is online, with all clients") {
  ask("");
  answer_oldest(presence.pages, PresencePage{7, {alice()}, "alice"});
  CHECK(peer.answer().status() == 200);
  CHECK(peer.answer().body ==
        R"({"online":7,"users":[{"user":"alice","last_activity":1795000000000,)"
        R"("until":1795000037500,"clients":[)"
        R"({"client":"","last_activity":1794999999000,"address":"::1","agent":""},)"
        R"({"client":"tab","last_activity":1795000000000,"address":"127.0.0.1","agent":"curl/8"})"
        "]}],\"next\":\"alice\"}\n");
}

TEST_CASE_FIXTURE(Asking, "if no user is online the page is empty, and the last") {
  ask("");
  answer_oldest(presence.pages, PresencePage{});
  CHECK(peer.answer().body == "{\"online\":0,\"users\":[],\"next\":null}\n");
}

TEST_CASE_FIXTURE(Asking, "the answer is JSON whatever a user agent contains") {
  auto user = alice();
  user.clients[0].agent = "\"},{\x01\n\\ ü \xEF\xBF\xBD";
  ask("");
  answer_oldest(presence.pages, PresencePage{1, {user}, ""});
  CHECK(compact_json(peer.answer().body));
}

TEST_CASE_FIXTURE(Asking, "prefix, after and limit are taken from the query") {
  auto asked = question("");
  CHECK(asked.prefix.empty());
  CHECK(asked.after.empty());
  CHECK(asked.limit == 100);
  asked = question("prefix=al&after=alice&limit=1000");
  CHECK(asked.prefix == "al");
  CHECK(asked.after == "alice");
  CHECK(asked.limit == 1'000);
  asked = question("prefix=&after=&limit=1&unknown=1");
  CHECK(asked.prefix.empty());
  CHECK(asked.limit == 1);
}

TEST_CASE_FIXTURE(Asking, "one user is shown, online or not") {
  ask("user=alice");
  REQUIRE(presence.users.size() == 1);
  CHECK(presence.users.front().first == "alice");
  PresentUser found{"alice", 0, 0, {}};
  Standing standing;
  std::string expected =
      R"({"user":"alice","online":false,"last_activity":null,"until":null,"clients":[],)";
  SUBCASE("not online, not locked") { expected += "\"locked\":null,\"groups\":[]}\n"; }
  SUBCASE("locked") {
    standing.locked = {1'795'000'000'000, "un\"paid\""};
    groups.its_groups = {"sea", "team"};
    expected +=
        "\"locked\":{\"since\":1795000000000,\"reason\":\"un\\\"paid\\\"\"},"
        "\"groups\":[\"sea\",\"team\"]}\n";
  }
  SUBCASE("online") {
    found = alice();
    expected =
        R"({"user":"alice","online":true,"last_activity":1795000000000,"until":1795000037500,)"
        R"("clients":[)"
        R"({"client":"","last_activity":1794999999000,"address":"::1","agent":""},)"
        R"({"client":"tab","last_activity":1795000000000,"address":"127.0.0.1","agent":"curl/8"}],)"
        "\"locked\":null,\"groups\":[]}\n";
  }
  presence.users.front().second(found);
  REQUIRE(access.standings_asked.size() == 1);
  CHECK(access.standings_asked.front().first == "alice");
  access.standings_asked.front().second(standing);
  CHECK(peer.answer().body == expected);
  CHECK(peer.answer().status() == 200);
}

TEST_CASE_FIXTURE(Asking, "a user whose groups can't be read is not shown without them") {
  groups.is_away = true;
  ask("user=alice");
  presence.users.front().second(PresentUser{"alice", 0, 0, {}});
  access.standings_asked.front().second(Standing{});
  CHECK(peer.answer().status() == 503);
}

TEST_CASE_FIXTURE(Asking, "the answer names the erased user, and says what there was") {
  erase("/users/alice");
  REQUIRE(eraser.asked.size() == 1);
  CHECK(eraser.asked.front().first == "alice");
  SUBCASE("much") {
    answer_erasing(Erased{3, 1, 2, {"sea", "team"}, true, true});
    CHECK(peer.answer().body ==
          R"({"user":"alice","erased":true,"messages":3,"tokens":1,"scheduled":2,)"
          R"("groups":["sea","team"],"standing":true,"presence":true})"
          "\n");
  }
  SUBCASE("nothing") {
    answer_erasing(Erased{});
    CHECK(peer.answer().body ==
          R"({"user":"alice","erased":true,"messages":0,"tokens":0,"scheduled":0,)"
          R"("groups":[],"standing":false,"presence":false})"
          "\n");
  }
  SUBCASE("nobody knows") {
    answer_erasing(away());
    CHECK(peer.answer().status() == 503);
  }
}

TEST_CASE_FIXTURE(Asking, "a name that no user can have is not erased") {
  for (const std::string& name :
       {std::string("a b"), std::string("*"), std::string(129, 'a'), std::string("\xFF")}) {
    FakePeer another;
    Request request;
    const std::string path = "/users/" + name;
    request.path = path;
    handler.erase(request, another.owed());
    CHECK(field(another.answer().body, "code") == "bad_user");
  }
  CHECK(eraser.asked.empty());
}

TEST_CASE_FIXTURE(Asking, "a page may end with a name that can't be a user's") {
  const std::string last = "a b\xFF";
  ask("limit=1");
  answer_oldest(presence.pages, PresencePage{2, {}, last});
  CHECK(question("after=" + field(peer.answer().body, "next")).after == last);
}

TEST_CASE_FIXTURE(Asking, "each fault of a question has the contract's code") {
  for (const auto query : {"user=", "user=a/b", "user=a%20b", "prefix=a*", "prefix=%00",
                           "after=a/b", "after==a", "prefix=%C3%BC"}) {
    CAPTURE(query);
    CHECK(refused(query) == "bad_user");
  }
  CHECK(refused("prefix=" + std::string(129, 'a')) == "bad_user");
  for (const auto limit : {"", "0", "1001", "-1", "1.5", "ten", "1%00", "18446744073709551617"}) {
    CAPTURE(limit);
    CHECK(refused(std::string("limit=") + limit) == "bad_limit");
  }
  for (const auto twice :
       {"user=a&user=a", "prefix=a&prefix=a", "after=a&after=b", "limit=1&limit=1"}) {
    CAPTURE(twice);
    CHECK(refused(twice) == "repeated_parameter");
  }
  CHECK(presence.pages.empty());
  CHECK(presence.users.empty());
}

TEST_CASE_FIXTURE(Asking, "while the store is away no user is shown") {
  SUBCASE("a page") {
    ask("");
    answer_oldest(presence.pages, away());
  }
  SUBCASE("a user") {
    ask("user=alice");
    presence.users.front().second(away());
  }
  CHECK(peer.answer().status() == 503);
  CHECK(peer.answer().header("Retry-After") == "2");
}

}  // namespace
}  // namespace letterbox::test
