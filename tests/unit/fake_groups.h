// SPDX-License-Identifier: MIT
//
// Groups made of plain containers, which answer at once, in small pages. For one thread.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mailbox/groups.h"
#include "tests/unit/fake_store.h"

namespace letterbox::test {

class FakeGroups final : public Groups {
 public:
  static constexpr size_t kPage = 2;

  void add(std::string_view group, std::string_view user, Then<bool> then) override {
    if (is_full) return then(Error{Code::group_full, "it is full"});
    answer<bool>(then, [&] { return note("add", group, user); });
  }
  void put(std::string_view group, std::vector<std::string> users, bool replace,
           Then<GroupChange> then) override {
    if (is_full) return then(Error{Code::group_full, "it is full"});
    answer<GroupChange>(then, [&] {
      std::string names;
      for (const auto& user : users) names += (names.empty() ? "" : ",") + user;
      note(replace ? "replace" : "put", group, names);
      return change;
    });
  }
  void remove(std::string_view group, std::string_view user, Then<bool> then) override {
    answer<bool>(then, [&] { return note("remove", group, user); });
  }
  void remove_all(std::string_view group, Then<bool> then) override {
    answer<bool>(then, [&] { return note("remove_all", group, ""); });
  }
  void view(std::string_view group, std::string_view after, size_t limit,
            Then<GroupView> then) override {
    answer<GroupView>(then, [&] {
      note("view", group, std::string(after) + " " + std::to_string(limit));
      return shown;
    });
  }
  void list(const GroupQuestion& question, Then<GroupPage> then) override {
    answer<GroupPage>(then, [&] {
      note("list", question.prefix, question.after + " " + std::to_string(question.limit));
      return listed;
    });
  }
  void groups_of(std::string_view user, Then<std::vector<std::string>> then) override {
    answer<std::vector<std::string>>(then, [&] {
      note("groups_of", user, "");
      return its_groups;
    });
  }
  void members(std::string_view group, std::string_view from, Then<Names> then) override {
    answer<Names>(then, [&] { return page(all[std::string(group)], from); });
  }
  void online(std::string_view from, Then<Names> then) override {
    answer<Names>(then, [&] { return page(online_now, from); });
  }

  std::map<std::string, std::vector<std::string>> all;
  std::vector<std::string> online_now;
  GroupView shown;
  GroupPage listed;
  GroupChange change;
  std::vector<std::string> its_groups;  // of any user
  bool is_away = false;
  bool is_full = false;
  bool outcome = true;             // of what changes a group
  std::vector<std::string> asked;  // of the groups themselves
  size_t pages = 0;

 private:
  template <class T, class Make>
  void answer(const Then<T>& then, Make make) {
    if (is_away) return then(away());
    then(make());
  }

  bool note(std::string_view what, std::string_view group, std::string_view more) {
    asked.push_back(std::string(what) + " " + std::string(group) + " " + std::string(more));
    return outcome;
  }

  Names page(const std::vector<std::string>& names, std::string_view from) {
    ++pages;
    const size_t begin = from.empty() ? 0 : std::stoul(std::string(from));
    Names found;
    for (size_t i = begin; i < names.size() && i < begin + kPage; ++i) {
      found.names.push_back(names[i]);
    }
    if (begin + kPage < names.size()) found.next = std::to_string(begin + kPage);
    return found;
  }
};

}  // namespace letterbox::test
