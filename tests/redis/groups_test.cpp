// SPDX-License-Identifier: MIT
//
// Groups, and who is online, in Redis.
#include "mailbox/groups.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

constexpr size_t kMost = 2500;

struct Gathered {
  std::multiset<std::string> names;
  size_t pages = 0;
  size_t largest = 0;  // page
};

struct Grouped : Mailboxes {
  RedisGroups groups{worker.redis, clock, kMost};

  Or<bool> add(std::string_view group, std::string_view user) {
    return worker.await<Or<bool>>([&](const auto& then) { groups.add(group, user, then); });
  }
  Or<bool> remove(std::string_view group, std::string_view user) {
    return worker.await<Or<bool>>([&](const auto& then) { groups.remove(group, user, then); });
  }
  Or<GroupChange> put(std::string_view group, std::vector<std::string> users,
                      bool replace = false) {
    return worker.await<Or<GroupChange>>(
        [&](const auto& then) { groups.put(group, users, replace, then); });
  }
  Or<GroupPage> list(const GroupQuestion& question = {.limit = 100}) {
    return worker.await<Or<GroupPage>>([&](const auto& then) { groups.list(question, then); });
  }
  std::vector<std::string> groups_of(std::string_view user) {
    return worker
        .await<Or<std::vector<std::string>>>(
            [&](const auto& then) { groups.groups_of(user, then); })
        .value();
  }
  // What the user's own list has, right or wrong.
  std::vector<std::string> noted(std::string_view user) {
    return worker.ask({"SMEMBERS", groups_key(user)}).texts();
  }
  Or<bool> remove_all(std::string_view group) {
    return worker.await<Or<bool>>([&](const auto& then) { groups.remove_all(group, then); });
  }
  Or<GroupView> view_group(std::string_view group, std::string_view after, size_t limit) {
    return worker.await<Or<GroupView>>(
        [&](const auto& then) { groups.view(group, after, limit, then); });
  }
  Or<Names> members(std::string_view group, std::string_view from) {
    return worker.await<Or<Names>>([&](const auto& then) { groups.members(group, from, then); });
  }
  Or<Names> online(std::string_view from) {
    return worker.await<Or<Names>>([&](const auto& then) { groups.online(from, then); });
  }

  // All pages that `ask` gives.
  template <class Ask>
  Gathered gather(Ask ask) {
    Gathered gathered;
    std::string from;
    do {
      const auto page = ask(from);
      REQUIRE(page);
      gathered.names.insert(page->names.begin(), page->names.end());
      gathered.largest = std::max(gathered.largest, page->names.size());
      ++gathered.pages;
      from = page->next;
    } while (!from.empty());
    return gathered;
  }

  static std::vector<std::string> named(std::string_view prefix, size_t count) {
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i) names.push_back(std::string(prefix) + std::to_string(i));
    return names;
  }

  // Adds that many members to a sorted set at once, each with that score.
  void fill(const std::string& key, size_t count, const std::string& score) {
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i) names.push_back("user" + std::to_string(i));
    std::vector<std::string_view> words{"ZADD", key};
    for (const auto& name : names) {
      words.emplace_back(score);
      words.emplace_back(name);
    }
    REQUIRE(worker.ask(words).ok());
  }
  void be_online(std::string_view user, uint64_t until) {
    REQUIRE(worker.ask({"ZADD", shared_keys(0).online, std::to_string(until), user}).ok());
  }
};

std::vector<std::string> users(const GroupView& view) {
  std::vector<std::string> names;
  for (const auto& member : view.members) names.push_back(member.user);
  return names;
}

using Users = std::vector<std::string>;

TEST_CASE_FIXTURE(Grouped, "a group has each member once, and does not expire") {
  CHECK(add("team", "bob").value());
  CHECK(add("team", "alice").value());
  CHECK_FALSE(add("team", "bob").value());
  CHECK(users(view_group("team", "", 10).value()) == Users{"alice", "bob"});
  CHECK(worker.ask({"PTTL", group_key("team", 0)}).integer == -1);
  CHECK(remove("team", "bob").value());
  CHECK_FALSE(remove("team", "bob").value());
  CHECK(users(view_group("team", "", 10).value()) == Users{"alice"});
}

TEST_CASE_FIXTURE(Grouped, "a group is gone with its last member, or as a whole") {
  add("team", "alice").value();
  CHECK(remove("team", "alice").value());
  CHECK(worker.ask({"EXISTS", group_key("team", 0)}).integer == 0);
  add("team", "alice").value();
  add("team", "bob").value();
  CHECK(remove_all("team").value());
  CHECK_FALSE(remove_all("team").value());
  CHECK(view_group("team", "", 10)->size == 0);
}

TEST_CASE_FIXTURE(Grouped, "a group that is full takes no new member, but knows its members") {
  fill(group_key("team", 0), kMost, "0");
  CHECK(add("team", "one more").error().code == Code::group_full);
  CHECK_FALSE(add("team", "user7").value());
  CHECK(remove("team", "user7").value());
  CHECK(add("team", "one more").value());
}

TEST_CASE_FIXTURE(Grouped, "a group is shown page by page in the order of names") {
  for (const auto user : {"dave", "alice", "carol", "bob", "Zoe"}) add("team", user).value();
  const auto first = view_group("team", "", 2).value();
  CHECK(users(first) == Users{"Zoe", "alice"});
  CHECK(first.size == 5);
  CHECK(first.more);
  const auto second = view_group("team", "alice", 2).value();
  CHECK(users(second) == Users{"bob", "carol"});
  CHECK(second.more);
  const auto last = view_group("team", "carol", 1).value();
  CHECK(users(last) == Users{"dave"});
  CHECK_FALSE(last.more);
  CHECK(users(view_group("team", "dave", 2).value()).empty());
}

TEST_CASE_FIXTURE(Grouped, "each member is shown with whether it is online") {
  for (const auto user : {"alice", "bob", "carol"}) add("team", user).value();
  be_online("alice", in(1));
  be_online("bob", in(0));
  const auto shown = view_group("team", "", 10).value();
  REQUIRE(shown.members.size() == 3);
  CHECK(shown.members[0].online);
  CHECK_FALSE(shown.members[1].online);
  CHECK_FALSE(shown.members[2].online);
}

TEST_CASE_FIXTURE(Grouped, "a large group is read in pages of a thousand") {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{999}, size_t{1000}, size_t{2345}}) {
    CAPTURE(count);
    remove_all("team").value();
    if (count > 0) fill(group_key("team", 0), count, "0");
    const auto all = gather([this](const auto& from) { return members("team", from); });
    CHECK(all.names.size() == count);
    CHECK(std::set(all.names.begin(), all.names.end()).size() == count);
    CHECK(all.largest <= 1000);
  }
}

TEST_CASE_FIXTURE(Grouped, "exactly the users who are online are read in pages") {
  CHECK(gather([this](const auto& from) { return online(from); }).names.empty());
  fill(shared_keys(0).online, 2345, std::to_string(in(1)));
  be_online("gone", in(0));
  be_online("user3", in(0));
  const auto all = gather([this](const auto& from) { return online(from); });
  const std::set<std::string> once(all.names.begin(), all.names.end());
  CHECK(once.size() == 2344);
  CHECK_FALSE(once.contains("gone"));
  CHECK_FALSE(once.contains("user3"));
  CHECK(all.pages > 1);
  CHECK(all.largest < 2000);
}

TEST_CASE_FIXTURE(Grouped, "users are added to a group, or become all of it, each counted once") {
  auto change = put("team", {"bob", "alice", "bob"}).value();
  CHECK(change.added == 2);
  CHECK(change.removed == 0);
  CHECK(change.size == 2);
  change = put("team", {"carol", "alice"}).value();
  CHECK(change.added == 1);
  CHECK(change.size == 3);
  change = put("team", {"carol", "dave"}, true).value();
  CHECK(change.added == 1);
  CHECK(change.removed == 2);
  CHECK(change.size == 2);
  CHECK(users(view_group("team", "", 10).value()) == Users{"carol", "dave"});
  CHECK(noted("alice").empty());
  CHECK(noted("dave") == Users{"team"});
  change = put("team", {}).value();
  CHECK(change.added + change.removed == 0);
  CHECK(change.size == 2);
  change = put("team", {}, true).value();
  CHECK(change.removed == 2);
  CHECK(change.size == 0);
  CHECK(list()->groups.empty());
}

TEST_CASE_FIXTURE(Grouped, "a group becomes exactly the users that are named, however many") {
  for (const size_t before : {size_t{0}, size_t{249}, size_t{250}, size_t{1100}}) {
    for (const size_t count : {size_t{0}, size_t{1}, size_t{250}, size_t{251}, size_t{1000}}) {
      CAPTURE(before);
      CAPTURE(count);
      put("team", named("a", before), true).value();
      // Every second one stays.
      std::vector<std::string> wanted = named("a", before);
      if (wanted.size() > count / 2) wanted.resize(count / 2);
      const size_t stay = wanted.size();
      for (const auto& name : named("b", count - stay)) wanted.push_back(name);
      const auto change = put("team", wanted, true).value();
      CHECK(change.added == count - stay);
      CHECK(change.removed == before - stay);
      CHECK(change.size == count);
      const auto all = gather([this](const auto& from) { return members("team", from); });
      CHECK(all.names == std::multiset<std::string>(wanted.begin(), wanted.end()));
      if (before > stay) CHECK(noted("a" + std::to_string(before - 1)).empty());
      if (count > 0) CHECK(noted(wanted.back()) == Users{"team"});
    }
  }
}

TEST_CASE_FIXTURE(Grouped, "of users who don't all fit into a group none is added") {
  put("team", named("a", kMost - 1)).value();
  CHECK(put("team", {"b1", "b2"}).error().code == Code::group_full);
  CHECK(view_group("team", "", 1)->size == kMost - 1);
  CHECK(noted("b1").empty());
  CHECK(put("team", {"a0", "b1"})->size == kMost);
  CHECK(put("other", named("a", kMost + 1), true).error().code == Code::group_full);
  CHECK(view_group("other", "", 1)->size == 0);
  CHECK(put("team", named("b", kMost), true)->size == kMost);
}

TEST_CASE_FIXTURE(Grouped,
                  "each user's groups are known, whichever way it became or was a member") {
  add("team", "alice").value();
  put("sea", {"alice", "bob"}).value();
  add("zoo", "alice").value();
  CHECK(groups_of("alice") == Users{"sea", "team", "zoo"});
  CHECK(groups_of("bob") == Users{"sea"});
  CHECK(groups_of("nobody").empty());
  remove("team", "alice").value();
  CHECK(groups_of("alice") == Users{"sea", "zoo"});
  remove_all("sea").value();
  CHECK(groups_of("alice") == Users{"zoo"});
  CHECK(groups_of("bob").empty());
  put("zoo", {"bob"}, true).value();
  CHECK(groups_of("alice").empty());
  CHECK(worker.ask({"EXISTS", groups_key("alice")}).integer == 0);
}

TEST_CASE_FIXTURE(Grouped, "the groups that have members are listed by name, with their sizes") {
  put("team", {"alice", "bob"}).value();
  for (const auto name : {"sea", "tea", "Zoo"}) add(name, "alice").value();
  const auto names = [](const GroupPage& page) {
    Users all;
    for (const auto& group : page.groups) {
      all.push_back(group.name + " " + std::to_string(group.size));
    }
    return all;
  };
  CHECK(names(list().value()) == Users{"Zoo 1", "sea 1", "tea 1", "team 2"});
  CHECK(list()->next.empty());
  const auto first = list({.limit = 3}).value();
  CHECK(names(first) == Users{"Zoo 1", "sea 1", "tea 1"});
  CHECK(first.next == "tea");
  CHECK(names(list({.after = "tea", .limit = 3}).value()) == Users{"team 2"});
  CHECK(names(list({.prefix = "te", .limit = 3}).value()) == Users{"tea 1", "team 2"});
  CHECK(names(list({.prefix = "te", .after = "tea", .limit = 3}).value()) == Users{"team 2"});
  CHECK(names(list({.prefix = "x", .limit = 3}).value()).empty());
  remove("sea", "alice").value();
  remove_all("team").value();
  CHECK(names(list().value()) == Users{"Zoo 1", "tea 1"});
}

TEST_CASE_FIXTURE(Grouped,
                  "groups of an older version are found when all groups are first listed") {
  for (int i = 0; i < 1500; ++i) worker.ask({"SET", "x" + std::to_string(i), "1"});
  fill(group_key("team", 0), 600, "0");
  fill(group_key("sea", 0), 2, "0");
  REQUIRE(worker.ask({"ZADD", group_key("no group", 0), "0", "alice"}).ok());
  REQUIRE(worker.ask({"SET", group_key("text", 0), "x"}).ok());
  const auto page = list().value();
  REQUIRE(page.groups.size() == 2);
  CHECK(page.groups.front().name == "sea");
  CHECK(page.groups.back().size == 600);
  CHECK(groups_of("user1") == Users{"sea", "team"});
  CHECK(groups_of("user599") == Users{"team"});
  // From then on it costs one GET.
  fill(group_key("late", 0), 1, "0");
  CHECK(list()->groups.size() == 2);
}

TEST_CASE_FIXTURE(Grouped, "of a group without members only the members are asked for") {
  const auto asks_whether_it_is_listed = [&] {
    return worker.ask({"INFO", "commandstats"}).text.find("cmdstat_zscore:") != std::string::npos;
  };
  REQUIRE(worker.ask({"CONFIG", "RESETSTAT"}).ok());
  view_group("team", "", 1).value();
  members("team", "").value();
  CHECK_FALSE(asks_whether_it_is_listed());
  fill(group_key("team", 0), 1, "0");
  members("team", "").value();
  CHECK(eventually(asks_whether_it_is_listed));
}

TEST_CASE_FIXTURE(Grouped, "a group that was filled by hand is listed from its first use on") {
  list().value();
  fill(group_key("team", 0), 600, "0");
  SUBCASE("it is shown") { view_group("team", "", 1).value(); }
  SUBCASE("it is pushed to") { members("team", "").value(); }
  SUBCASE("it gets a member") { add("team", "alice").value(); }
  REQUIRE(eventually([this] { return groups_of("user599") == Users{"team"}; }));
  CHECK(groups_of("user0") == Users{"team"});
  CHECK(list()->groups.size() == 1);
}

TEST_CASE_FIXTURE(
    Grouped, "members and groups that were removed by hand are forgotten when they are looked at") {
  put("team", {"alice", "bob"}).value();
  put("sea", {"alice"}).value();
  REQUIRE(worker.ask({"ZREM", group_key("team", 0), "alice"}).ok());
  REQUIRE(worker.ask({"DEL", group_key("sea", 0)}).ok());
  CHECK(groups_of("alice").empty());
  CHECK(noted("alice").empty());
  CHECK(list()->groups.size() == 1);
  CHECK(worker.ask({"ZCARD", shared_keys(0).groups}).integer == 1);
}

TEST_CASE_FIXTURE(Grouped,
                  "a user's list that is none is an error that names it, and nothing is changed") {
  REQUIRE(worker.ask({"SET", groups_key("bob"), "x"}).ok());
  const auto refused = put("team", {"alice", "bob"});
  CHECK(refused.error().code == Code::broken_data);
  CHECK(refused.error().message.find(groups_key("bob")) != std::string::npos);
  CHECK(view_group("team", "", 10)->size == 0);
  CHECK(noted("alice").empty());
  CHECK(worker.downs == 0);
}

TEST_CASE_FIXTURE(Grouped,
                  "a foreign value at a group's key is an error, and so is a Redis that is away") {
  REQUIRE(worker.ask({"SET", group_key("team", 0), "no group"}).ok());
  CHECK(add("team", "alice").error().code == Code::broken_data);
  CHECK(remove("team", "alice").error().code == Code::broken_data);
  CHECK(put("team", {"alice"}, true).error().code == Code::broken_data);
  CHECK(view_group("team", "", 10).error().code == Code::broken_data);
  CHECK(members("team", "").error().code == Code::broken_data);
  CHECK(remove_all("team").value());
  CHECK(add("team", "alice").value());
  REQUIRE(worker.ask({"SET", shared_keys(0).online, "nobody"}).ok());
  CHECK(online("").error().code == Code::store_unavailable);
  add("other", "alice").value();
  CHECK(view_group("other", "", 10).error().code == Code::store_unavailable);
}

// --- one message into several mailboxes -------------------------------------------------------

struct Several : Mailboxes {
  std::vector<Or<Pushed>> push_to(const std::vector<std::string_view>& users,
                                  std::string_view data = "1") {
    const std::string element = make_element("mail", data, clock.wall_ms(), 0);
    return worker.await<std::vector<Or<Pushed>>>(
        [&](const auto& then) { worker.store.push_each(users, element, {}, then); });
  }
};

TEST_CASE_FIXTURE(Several, "each mailbox gets the message with an id of its own") {
  push_many(2);
  worker.read({.user = "bob", .after = Cursor{}, .watch_until = in(30'000)}).value();
  const auto outcomes = push_to({"alice", "bob", "carol"});
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[0]->id == id(3));
  CHECK(outcomes[0]->queued == 3);
  CHECK(outcomes[1]->id == id(1));
  CHECK(outcomes[1]->waiting);
  CHECK(outcomes[2]->id == id(1));
  CHECK_FALSE(outcomes[2]->waiting);
  for (const auto user : {"alice", "bob", "carol"}) {
    CHECK(worker.read({.user = user, .after = Cursor{}})->count == (user[0] == 'a' ? 3 : 1));
  }
}

TEST_CASE_FIXTURE(Several, "a message that one mailbox can't take goes into the others") {
  REQUIRE(worker.ask({"RPUSH", MailboxKeys("broken").base, "no record"}).ok());
  const auto outcomes = push_to({"alice", "broken", "carol"});
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[0]);
  CHECK(outcomes[1].error().code == Code::broken_data);
  CHECK(outcomes[2]);
  CHECK(push_to({"broken"}).front().error().code == Code::broken_data);
  CHECK(push_to({"broken", "broken"}).back().error().code == Code::broken_data);
  CHECK(worker.store.pushes().figures().messages.value() == 2);
}

TEST_CASE_FIXTURE(Several, "if too few replicas have the message each mailbox is unavailable") {
  worker.on_loop([this] {
    worker.store.replicas().confirm_by(1, 100);
    return true;
  });
  const auto outcomes = push_to({"alice", "bob"});
  CHECK_FALSE(outcomes[0]);
  CHECK_FALSE(outcomes[1]);
  CHECK(read_after(0).count == 1);  // it can't be undone
}

}  // namespace
}  // namespace letterbox::test
