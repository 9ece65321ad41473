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

  // So many at once into a sorted set, each with that score.
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
    REQUIRE(worker.ask({"ZADD", kOnlineKey, std::to_string(until), user}).ok());
  }
};

std::vector<std::string> users(const GroupView& view) {
  std::vector<std::string> names;
  for (const auto& member : view.members) names.push_back(member.user);
  return names;
}

using Users = std::vector<std::string>;

TEST_CASE_FIXTURE(Grouped, "a group has each member once, and has no end by itself") {
  CHECK(add("team", "bob").value());
  CHECK(add("team", "alice").value());
  CHECK_FALSE(add("team", "bob").value());
  CHECK(users(view_group("team", "", 10).value()) == Users{"alice", "bob"});
  CHECK(worker.ask({"PTTL", group_key("team")}).integer == -1);
  CHECK(remove("team", "bob").value());
  CHECK_FALSE(remove("team", "bob").value());
  CHECK(users(view_group("team", "", 10).value()) == Users{"alice"});
}

TEST_CASE_FIXTURE(Grouped, "a group is gone with its last member, or as a whole") {
  add("team", "alice").value();
  CHECK(remove("team", "alice").value());
  CHECK(worker.ask({"EXISTS", group_key("team")}).integer == 0);
  add("team", "alice").value();
  add("team", "bob").value();
  CHECK(remove_all("team").value());
  CHECK_FALSE(remove_all("team").value());
  CHECK(view_group("team", "", 10)->size == 0);
}

TEST_CASE_FIXTURE(Grouped, "a group that is full takes nobody, but knows its members") {
  fill(group_key("team"), kMost, "0");
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

TEST_CASE_FIXTURE(Grouped, "of each member it is shown whether it is online") {
  for (const auto user : {"alice", "bob", "carol"}) add("team", user).value();
  be_online("alice", in(1));
  be_online("bob", in(0));
  const auto shown = view_group("team", "", 10).value();
  REQUIRE(shown.members.size() == 3);
  CHECK(shown.members[0].online);
  CHECK_FALSE(shown.members[1].online);
  CHECK_FALSE(shown.members[2].online);
}

TEST_CASE_FIXTURE(Grouped, "a large group is gathered in pages of a thousand") {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{999}, size_t{1000}, size_t{2345}}) {
    CAPTURE(count);
    remove_all("team").value();
    if (count > 0) fill(group_key("team"), count, "0");
    const auto all = gather([this](const auto& from) { return members("team", from); });
    CHECK(all.names.size() == count);
    CHECK(std::set(all.names.begin(), all.names.end()).size() == count);
    CHECK(all.largest <= 1000);
  }
}

TEST_CASE_FIXTURE(Grouped, "everybody who is online is gathered in pages, and nobody else") {
  CHECK(gather([this](const auto& from) { return online(from); }).names.empty());
  fill(std::string(kOnlineKey), 2345, std::to_string(in(1)));
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

TEST_CASE_FIXTURE(Grouped, "what is no group is an error, and so is a Redis that is away") {
  REQUIRE(worker.ask({"SET", group_key("team"), "no group"}).ok());
  CHECK(add("team", "alice").error().code == Code::store_unavailable);
  CHECK(remove("team", "alice").error().code == Code::store_unavailable);
  CHECK(view_group("team", "", 10).error().code == Code::store_unavailable);
  CHECK(members("team", "").error().code == Code::store_unavailable);
  REQUIRE(worker.ask({"SET", kOnlineKey, "nobody"}).ok());
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
        [&](const auto& then) { worker.store.push_each(users, element, then); });
  }
};

TEST_CASE_FIXTURE(Several, "each mailbox gets the message by an id of its own") {
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

TEST_CASE_FIXTURE(Several, "what one mailbox can't take, the others do") {
  REQUIRE(worker.ask({"RPUSH", MailboxKeys("broken").base, "no record"}).ok());
  const auto outcomes = push_to({"alice", "broken", "carol"});
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[0]);
  CHECK(outcomes[1].error().code == Code::broken_data);
  CHECK(outcomes[2]);
  CHECK(push_to({"broken"}).front().error().code == Code::broken_data);
  CHECK(push_to({"broken", "broken"}).back().error().code == Code::broken_data);
  CHECK(worker.store.pushed().messages.value() == 2);
}

TEST_CASE_FIXTURE(Several, "several that too few replicas have are unavailable, each of them") {
  worker.on_loop([this] {
    worker.store.confirm_by(1, 100);
    return true;
  });
  const auto outcomes = push_to({"alice", "bob"});
  CHECK_FALSE(outcomes[0]);
  CHECK_FALSE(outcomes[1]);
  CHECK(read_after(0).count == 1);  // nobody can take them back
}

}  // namespace
}  // namespace letterbox::test
