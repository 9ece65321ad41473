// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "handlers/groups.h"
#include "tests/unit/fake_groups.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_reply_to.h"

namespace letterbox::test {
namespace {

struct Managing {
  FakeGroups groups;
  GroupsHandler handler{groups, kMost};
  static constexpr size_t kMost = 4;

  static Request at(std::string_view path) {
    Request request;
    request.path = path;
    return request;
  }
  HttpAnswer add(std::string_view path) const {
    FakePeer peer;
    handler.add(at(path), peer.owed());
    return peer.answer();
  }
  HttpAnswer remove(std::string_view path) const {
    FakePeer peer;
    handler.remove(at(path), peer.owed());
    return peer.answer();
  }
  HttpAnswer remove_all(std::string_view path) const {
    FakePeer peer;
    handler.remove_all(at(path), peer.owed());
    return peer.answer();
  }
  HttpAnswer view(std::string_view path, std::string_view query = "") const {
    FakePeer peer;
    handler.view(at(path), Query::parse(query).value(), peer.owed());
    return peer.answer();
  }
  HttpAnswer put(std::string_view path, std::string body, std::string_view query = "") const {
    FakePeer peer;
    Request request = at(path);
    request.body = std::move(body);
    handler.put(request, Query::parse(query).value(), peer.owed());
    return peer.answer();
  }
  HttpAnswer list(std::string_view query = "") const {
    FakePeer peer;
    handler.list(Query::parse(query).value(), peer.owed());
    return peer.answer();
  }
  using Asked = std::vector<std::string>;
};

TEST_CASE_FIXTURE(Managing, "the groups are shown page by page, each with its size") {
  groups.listed = {{{"a+b", 3}, {"team", 1}}, "team"};
  CHECK(list("prefix=t&after=sea&limit=2").body ==
        R"({"groups":[{"group":"a+b","size":3},{"group":"team","size":1}],"next":"team"})"
        "\n");
  groups.listed = {};
  CHECK(list().body == "{\"groups\":[],\"next\":null}\n");
  list("prefix=&after=");
  CHECK(groups.asked == Asked{"list t sea 2", "list   100", "list   100"});
}

TEST_CASE_FIXTURE(Managing, "each fault of a question for groups has the contract's code") {
  for (const auto query : {"prefix=a%20b", "after=a/b", "prefix=%00", "after==a"}) {
    CAPTURE(query);
    CHECK(field(list(query).body, "code") == "bad_group");
  }
  CHECK(field(list("prefix=" + std::string(65, 'a')).body, "code") == "bad_group");
  CHECK(field(list("limit=0").body, "code") == "bad_limit");
  for (const auto twice : {"prefix=a&prefix=a", "after=a&after=b", "limit=1&limit=1"}) {
    CHECK(field(list(twice).body, "code") == "repeated_parameter");
  }
  CHECK(groups.asked.empty());
}

TEST_CASE_FIXTURE(Managing, "a list of users is added to a group, or becomes all of it") {
  groups.change = {2, 1, 5};
  CHECK(put("/groups/team", R"( ["alice", "bob"] )").body ==
        "{\"group\":\"team\",\"added\":2,\"removed\":1,\"size\":5}\n");
  put("/groups/team", R"(["bob"])", "replace=1");
  put("/groups/team", "[]", "replace=0");
  CHECK(groups.asked == Asked{"put team alice,bob", "replace team bob", "put team "});
}

TEST_CASE_FIXTURE(Managing, "each fault of a list of users has the contract's code") {
  for (const auto body : {"", "[", "alice", R"(["alice",])"}) {
    CAPTURE(body);
    CHECK(field(put("/groups/team", body).body, "code") == "bad_json");
  }
  for (const auto body : {"{}", "null", R"("alice")", "[1]", R"([["alice"]])", R"([{"alice":1}])",
                          R"(["alice",null])", R"({"users":["alice"]})"}) {
    CAPTURE(body);
    CHECK(field(put("/groups/team", body).body, "code") == "bad_request");
  }
  for (const auto body : {R"(["alice","a b"])", R"([""])", R"(["*"])", R"(["group:x"])"}) {
    CAPTURE(body);
    CHECK(field(put("/groups/team", body).body, "code") == "bad_user");
  }
  CHECK(field(put("/groups/a b", "[]").body, "code") == "bad_group");
  for (const auto replace : {"replace=", "replace=yes", "replace=2"}) {
    CHECK(field(put("/groups/team", "[]", replace).body, "code") == "bad_request");
  }
  CHECK(field(put("/groups/team", "[]", "replace=1&replace=1").body, "code") ==
        "repeated_parameter");
  CHECK(field(put("/groups/team", R"(["a","b","c","d","e"])").body, "code") == "group_full");
  CHECK(groups.asked.empty());
  CHECK(put("/groups/team", R"(["a","b","c","d"])").status() == 200);
}

TEST_CASE_FIXTURE(Managing, "a list of users that is longer than a body may be is 413") {
  FakePeer peer;
  Request request = at("/groups/team");
  request.body_too_large = true;
  handler.put(request, Query::parse("").value(), peer.owed());
  CHECK(peer.answer().status() == 413);
}

TEST_CASE_FIXTURE(
    Managing, "a member is added and removed, and the answer says whether that changed anything") {
  CHECK(add("/groups/team/alice").body ==
        "{\"group\":\"team\",\"user\":\"alice\",\"added\":true}\n");
  CHECK(remove("/groups/team/alice").body ==
        "{\"group\":\"team\",\"user\":\"alice\",\"removed\":true}\n");
  groups.outcome = false;
  CHECK(add("/groups/team/alice").body ==
        "{\"group\":\"team\",\"user\":\"alice\",\"added\":false}\n");
  CHECK(remove("/groups/team/alice").body ==
        "{\"group\":\"team\",\"user\":\"alice\",\"removed\":false}\n");
  CHECK(groups.asked ==
        Asked{"add team alice", "remove team alice", "add team alice", "remove team alice"});
}

TEST_CASE_FIXTURE(Managing, "a whole group is removed") {
  CHECK(remove_all("/groups/team").body == "{\"group\":\"team\",\"removed\":true}\n");
  CHECK(groups.asked == Asked{"remove_all team "});
}

TEST_CASE_FIXTURE(Managing, "a group is shown page by page, with who is online") {
  groups.shown = {7, {{"alice", true}, {"bob", false}}, true};
  CHECK(view("/groups/team", "after=aaron&limit=2").body ==
        R"({"group":"team","size":7,"members":[{"user":"alice","online":true},)"
        "{\"user\":\"bob\",\"online\":false}],\"next\":\"bob\"}\n");
  groups.shown = {};
  CHECK(view("/groups/team").body ==
        "{\"group\":\"team\",\"size\":0,\"members\":[],\"next\":null}\n");
  CHECK(groups.asked == Asked{"view team aaron 2", "view team  100"});
}

TEST_CASE_FIXTURE(Managing, "a page may end with a member that can't be a user's name") {
  for (const std::string name : {"a b", "\xFF\xFE", "=x", "M\xC3\xBCller"}) {
    CAPTURE(name);
    groups.asked.clear();
    groups.shown = {7, {{"alice", true}, {name, false}}, true};
    const std::string next = field(view("/groups/team", "limit=2").body, "next");
    CHECK(next.starts_with("="));
    view("/groups/team", "limit=2&after=" + next);
    CHECK(groups.asked.back() == "view team " + name + " 2");
  }
}

TEST_CASE_FIXTURE(Managing, "a member whose name is a group's is refused in those words") {
  const auto answer = add("/groups/team/group:x");
  CHECK(field(answer.body, "code") == "bad_user");
  CHECK(field(answer.body, "message").find("can't begin with 'group:'") != std::string::npos);
  CHECK(groups.asked.empty());
}

TEST_CASE_FIXTURE(Managing, "each fault of a call has the contract's code") {
  const std::string long_group(65, 'g');
  const std::string long_user(129, 'u');
  CHECK(field(add("/groups/a b/alice").body, "code") == "bad_group");
  CHECK(field(add("/groups/" + long_group + "/alice").body, "code") == "bad_group");
  CHECK(field(remove_all("/groups/*").body, "code") == "bad_group");
  CHECK(field(view("/groups/\xFF").body, "code") == "bad_group");
  CHECK(field(add("/groups/team/a b").body, "code") == "bad_user");
  CHECK(field(add("/groups/team/*").body, "code") == "bad_user");
  CHECK(field(add("/groups/team/group:x").body, "code") == "bad_user");
  CHECK(field(remove("/groups/team/" + long_user).body, "code") == "bad_user");
  for (const auto after : {"a%20b", "=", "=a", "=YQ==", "=%20"}) {
    CAPTURE(after);
    CHECK(field(view("/groups/team", std::string("after=") + after).body, "code") == "bad_user");
  }
  CHECK(field(view("/groups/team", "after=a&after=b").body, "code") == "repeated_parameter");
  for (const auto limit : {"0", "1001", "-1", "x", "", "1.5"}) {
    CAPTURE(limit);
    CHECK(field(view("/groups/team", std::string("limit=") + limit).body, "code") == "bad_limit");
  }
  CHECK(groups.asked.empty());
}

TEST_CASE_FIXTURE(Managing, "a group that is full is 409") {
  groups.is_full = true;
  CHECK(add("/groups/team/alice").status() == 409);
  CHECK(field(add("/groups/team/alice").body, "code") == "group_full");
  CHECK(field(put("/groups/team", "[]").body, "code") == "group_full");
}

TEST_CASE_FIXTURE(Managing, "while the store is away every call is 503") {
  groups.is_away = true;
  for (const auto& answer :
       {add("/groups/team/alice"), remove("/groups/team/alice"), remove_all("/groups/team"),
        view("/groups/team"), list(), put("/groups/team", "[]")}) {
    CHECK(answer.status() == 503);
    CHECK(answer.header("Retry-After") == "2");
  }
}

}  // namespace
}  // namespace letterbox::test
