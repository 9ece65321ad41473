// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "mailbox/merge_pages.h"
#include "mailbox/parted_groups.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/parts_of.h"

namespace letterbox::test {
namespace {

// Groups in plain sets, which answer at once: one part, or all of them as one.
class PlainGroups final : public Groups {
 public:
  PlainGroups(size_t most, size_t page_size) : most_(most), page_size_(page_size) {}

  void add(std::string_view, std::string_view, Then<bool>) override { FAIL("put() does it"); }
  void put(std::string_view group, std::vector<std::string> users, bool replace,
           Then<GroupChange> then) override {
    ++calls;
    if (error) return then(*error);
    auto& its = groups[std::string(group)];
    const std::set<std::string> given(users.begin(), users.end());
    std::set<std::string> whole = given;
    if (!replace) whole.insert(its.begin(), its.end());
    if (whole.size() > most_) return then(group_full(most_));
    GroupChange change{.size = whole.size()};
    for (const auto& user : whole) change.added += its.contains(user) ? 0 : 1;
    for (const auto& user : its) change.removed += whole.contains(user) ? 0 : 1;
    its = std::move(whole);
    if (its.empty()) groups.erase(std::string(group));
    then(change);
  }
  void remove(std::string_view group, std::string_view user, Then<bool> then) override {
    ++calls;
    then(groups[std::string(group)].erase(std::string(user)) > 0);
  }
  void remove_all(std::string_view, Then<bool>) override { FAIL("put() does it"); }
  void view(std::string_view group, std::string_view after, size_t limit,
            Then<GroupView> then) override {
    ++calls;
    if (error) return then(*error);
    const auto& its = groups[std::string(group)];
    GroupView view{.size = its.size(), .members = {}};
    auto at = after.empty() ? its.begin() : its.upper_bound(std::string(after));
    for (; at != its.end() && view.members.size() < limit; ++at) {
      view.members.push_back({*at, true});
    }
    view.more = at != its.end();
    then(std::move(view));
  }
  void list(const GroupQuestion& question, Then<GroupPage> then) override {
    ++calls;
    if (error) return then(*error);
    GroupPage page;
    for (const auto& [name, members] : groups) {
      if (!name.starts_with(question.prefix) || name <= question.after || members.empty()) continue;
      if (page.groups.size() == question.limit) {
        page.next = page.groups.back().name;
        break;
      }
      page.groups.push_back({name, members.size()});
    }
    then(std::move(page));
  }
  void groups_of(std::string_view user, Then<std::vector<std::string>> then) override {
    ++calls;
    std::vector<std::string> names;
    for (const auto& [name, members] : groups) {
      if (members.contains(std::string(user))) names.push_back(name);
    }
    then(std::move(names));
  }
  void members(std::string_view group, std::string_view from, Then<Names> then) override {
    ++calls;
    if (error) return then(*error);
    const auto& its = groups[std::string(group)];
    Names page;
    for (auto at = from.empty() ? its.begin() : its.upper_bound(std::string(from));
         at != its.end() && page.names.size() < page_size_; ++at) {
      page.names.push_back(*at);
    }
    if (page.names.size() == page_size_) page.next = page.names.back();
    then(std::move(page));
  }
  void online(std::string_view from, Then<Names> then) override {
    members("", from, std::move(then));
  }

  std::map<std::string, std::set<std::string>> groups;
  size_t calls = 0;
  std::optional<Error> error;

 private:
  const size_t most_;
  const size_t page_size_;
};

// Calls a method and returns what it tells at once.
template <class T, class Call>
Or<T> answer_of(Call call) {
  std::optional<Or<T>> answer;
  call([&](const Or<T>& told) {
    REQUIRE_FALSE(answer);
    answer = told;
  });
  REQUIRE(answer);
  return *answer;
}

struct Grouping {
  static constexpr size_t kParts = 8;
  static constexpr size_t kMost = 20;
  static constexpr size_t kPageSize = 3;

  Fakes<PlainGroups> fakes{kParts, kMost, kPageSize};
  PlainGroups single{kMost, kPageSize};
  PartedGroups groups{fakes.as<Groups>(), kMost};

  static Or<GroupChange> put(Groups& where, const std::string& group,
                             const std::vector<std::string>& users, bool replace = false) {
    return answer_of<GroupChange>(
        [&](auto then) { where.put(group, users, replace, std::move(then)); });
  }
  Or<Names> members(const std::string& group, const std::string& from = "") {
    return answer_of<Names>([&](auto then) { groups.members(group, from, std::move(then)); });
  }
  size_t calls() {
    size_t sum = 0;
    for (size_t part = 0; part < kParts; ++part) sum += std::exchange(fakes[part].calls, 0);
    return sum;
  }
};

TEST_CASE_FIXTURE(Grouping, "groups over several parts change as one group in one place does") {
  std::mt19937 chance(2915);
  for (int round = 0; round < 600; ++round) {
    CAPTURE(round);
    const std::string group = "g" + std::to_string(chance() % 5);
    std::vector<std::string> users(chance() % 9);
    for (auto& user : users) user = "u" + std::to_string(chance() % 30);
    const bool replace = chance() % 3 == 0;
    const auto size = single.groups[group].size();
    // A call that does not add more than there is room for. (Otherwise the answers may differ.)
    const std::set<std::string> given(users.begin(), users.end());
    if (!replace && size + given.size() > kMost) continue;
    const auto is = put(groups, group, users, replace);
    const auto shall = put(single, group, users, replace);
    REQUIRE(is);
    CHECK(is->added == shall->added);
    CHECK(is->removed == shall->removed);
    CHECK(is->size == shall->size);
    if (chance() % 4 == 0) {
      const auto user = "u" + std::to_string(chance() % 30);
      const auto removed = [&](Groups& where) {
        return answer_of<bool>([&](auto then) { where.remove(group, user, std::move(then)); });
      };
      CHECK(removed(groups).value() == removed(single).value());
      const auto its = [&](Groups& where) {
        return answer_of<std::vector<std::string>>(
            [&](auto then) { where.groups_of(user, std::move(then)); });
      };
      CHECK(its(groups).value() == its(single).value());
    }
  }
}

struct Filled : Grouping {
  std::mt19937 chance{515};

  Filled() {
    for (int i = 0; i < 12; ++i) {
      std::vector<std::string> users(chance() % kMost);
      for (auto& user : users) user = "u" + std::to_string(chance() % 90);
      const auto group = "g" + std::to_string(i);
      put(groups, group, users, true).value();
      put(single, group, users, true).value();
    }
  }
};

TEST_CASE_FIXTURE(Filled, "a group's members are shown page by page as those of one place are") {
  for (int round = 0; round < 300; ++round) {
    const std::string group = "g" + std::to_string(chance() % 13);
    const std::string after = chance() % 3 == 0 ? "" : "u" + std::to_string(chance() % 90);
    const size_t limit = 1 + chance() % 7;
    const auto view = [&](Groups& where) {
      return answer_of<GroupView>(
          [&](auto then) { where.view(group, after, limit, std::move(then)); });
    };
    const auto is = view(groups);
    const auto shall = view(single);
    CHECK(is->size == shall->size);
    CHECK(is->more == shall->more);
    REQUIRE(is->members.size() == shall->members.size());
    for (size_t i = 0; i < is->members.size(); ++i) {
      CHECK(is->members[i].user == shall->members[i].user);
      CHECK(is->members[i].online);
    }
  }
}

TEST_CASE_FIXTURE(Grouping, "a page of members that are not spread evenly is whole too") {
  constexpr size_t kLimit = 60;
  REQUIRE(share_of_page(kLimit, kParts) < kLimit / 2);
  for (size_t which = 0; which < 70; ++which) {
    fakes[3].groups["team"].insert(name_in(3, kParts, which));
  }
  fakes[4].groups["team"].insert(name_in(4, kParts));
  std::set<std::string> all = fakes[3].groups["team"];
  all.insert(name_in(4, kParts));
  const auto view =
      answer_of<GroupView>([&](auto then) { groups.view("team", "", kLimit, std::move(then)); });
  REQUIRE(view->members.size() == kLimit);
  CHECK(view->size == 71);
  CHECK(view->more);
  auto shall = all.begin();
  for (const auto& member : view->members) CHECK(member.user == *shall++);
  const auto rest = answer_of<GroupView>(
      [&](auto then) { groups.view("team", view->members.back().user, kLimit, std::move(then)); });
  CHECK(rest->members.size() == 11);
  CHECK_FALSE(rest->more);
}

TEST_CASE_FIXTURE(Filled,
                  "groups are listed as those of one place are, with the size of the whole") {
  for (int round = 0; round < 200; ++round) {
    const GroupQuestion question{
        .prefix = chance() % 2 == 0 ? "" : "g1",
        .after = chance() % 2 == 0 ? "" : "g" + std::to_string(chance() % 13),
        .limit = 1 + chance() % 5};
    const auto list = [&](Groups& where) {
      return answer_of<GroupPage>([&](auto then) { where.list(question, std::move(then)); });
    };
    const auto is = list(groups);
    const auto shall = list(single);
    CHECK(is->next == shall->next);
    REQUIRE(is->groups.size() == shall->groups.size());
    for (size_t i = 0; i < is->groups.size(); ++i) {
      CHECK(is->groups[i].name == shall->groups[i].name);
      CHECK(is->groups[i].size == shall->groups[i].size);
    }
  }
}

TEST_CASE_FIXTURE(Grouping,
                  "the pages of a group's members hold each member once, part after part") {
  std::set<std::string> all;
  for (size_t part = 0; part < kParts; ++part) {
    for (size_t which = 0; which < part * 2; ++which) {
      const auto name = name_in(part, kParts, which);
      fakes[part].groups["team"].insert(name);
      all.insert(name);
    }
  }
  std::set<std::string> found;
  std::string from;
  size_t pages = 0;
  do {
    const auto page = members("team", from);
    REQUIRE(page);
    const size_t asked = calls();
    CHECK(asked <= (pages == 0 ? kParts : PartedGroups::kPartsAPage));
    CHECK(page->names.size() <= asked * kPageSize);
    size_t changes = 0;  // of the part, from one name to the next
    for (size_t i = 0; i < page->names.size(); ++i) {
      CHECK(found.insert(page->names[i]).second);
      const bool same =
          i == 0 || part_of(page->names[i], kParts) == part_of(page->names[i - 1], kParts);
      changes += same ? 0 : 1;
    }
    CHECK(changes < asked);
    from = page->next;
    REQUIRE(++pages < 100);
  } while (!from.empty());
  CHECK(found == all);
}

TEST_CASE_FIXTURE(Grouping, "a small group's members are one page") {
  REQUIRE(put(groups, "team", {"alice", "bob", "carol"}));
  calls();
  const auto page = members("team");
  CHECK(page->names.size() == 3);
  CHECK(page->next.empty());
  CHECK(calls() == kParts);
}

TEST_CASE_FIXTURE(Grouping,
                  "members with any bytes in their names, put there by hand, are paged too") {
  for (const auto* name : {"1 3 x", "2", "a b", " "}) fakes[5].groups["team"].insert(name);
  const auto first = members("team");
  const auto second = members("team", first->next);
  CHECK(first->names.size() + second->names.size() == 4);
  CHECK(second->next.empty());
}

TEST_CASE_FIXTURE(Grouping, "the users online are paged as a group's members are") {
  fakes[1].groups[""] = {"a", "b", "c", "d"};
  fakes[2].groups[""] = {"e"};
  const auto first = answer_of<Names>([&](auto then) { groups.online("", std::move(then)); });
  CHECK(first->names == std::vector<std::string>{"a", "b", "c", "e"});
  const auto second =
      answer_of<Names>([&](auto then) { groups.online(first->next, std::move(then)); });
  CHECK(second->names == std::vector<std::string>{"d"});
  CHECK(second->next.empty());
}

std::vector<std::string> some_users(size_t count) {
  std::vector<std::string> users;
  for (size_t i = 0; i < count; ++i) users.push_back("u" + std::to_string(i));
  return users;
}

TEST_CASE_FIXTURE(Grouping, "a group is full by the sum of its parts") {
  REQUIRE(put(groups, "team", some_users(kMost - 1)));
  CHECK(put(groups, "team", {"x", "y"}).error().code == Code::group_full);
  CHECK(put(groups, "team", {"x"})->size == kMost);
  const auto added = answer_of<bool>([&](auto then) { groups.add("team", "z", std::move(then)); });
  CHECK(added.error().code == Code::group_full);
  CHECK(put(groups, "team", some_users(kMost + 1), true).error().code == Code::group_full);
  CHECK(put(groups, "team", some_users(kMost), true)->removed == 1);
}

TEST_CASE_FIXTURE(Grouping, "a user that is named twice counts once") {
  auto users = some_users(kMost);
  users.push_back(users.front());
  CHECK(put(groups, "team", users)->size == kMost);
  CHECK(put(groups, "team", users, true)->size == kMost);
}

TEST_CASE_FIXTURE(Grouping,
                  "adding one user tells whether it was a member, removing all whether any was") {
  const auto add = [&] {
    return answer_of<bool>([&](auto then) { groups.add("team", "alice", std::move(then)); });
  };
  CHECK(add().value());
  CHECK_FALSE(add().value());
  const auto remove_all = [&] {
    return answer_of<bool>([&](auto then) { groups.remove_all("team", std::move(then)); });
  };
  CHECK(remove_all().value());
  CHECK_FALSE(remove_all().value());
}

TEST_CASE_FIXTURE(Grouping, "a change that only some parts have made is not said to be none") {
  const Error broken = broken_data("group:{team}");
  fakes[0].error = broken;
  const auto changed = put(groups, "team", some_users(kMost), true);
  CHECK(changed.error().code == Code::store_unavailable);
  CHECK(changed.error().message == broken.message);
  for (size_t part = 0; part < kParts; ++part) fakes[part].error = broken;
  CHECK(put(groups, "team", some_users(3), true).error() == broken);
}

TEST_CASE_FIXTURE(Grouping, "what concerns a whole group fails if a part does") {
  fakes[6].error = away();
  CHECK(put(groups, "team", {"alice"}).error() == away());
  CHECK(members("team").error() == away());
  CHECK(answer_of<GroupView>([&](auto then) {
          groups.view("team", "", 1, std::move(then));
        }).error() == away());
  CHECK(answer_of<GroupPage>([&](auto then) {
          groups.list({.limit = 1}, std::move(then));
        }).error() == away());
}

}  // namespace
}  // namespace letterbox::test
