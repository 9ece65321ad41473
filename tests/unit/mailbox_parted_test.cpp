// SPDX-License-Identifier: MIT
//
// How calls are divided, and answers gathered and merged.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "mailbox/merge_pages.h"
#include "mailbox/parted.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/parts_of.h"

namespace letterbox::test {
namespace {

std::string_view itself(std::string_view name) { return name; }

TEST_CASE("with one part everything is in it, with several each name is in one of them") {
  CHECK(part_of("alice", 1) == 0);
  std::set<size_t> seen;
  for (int i = 0; i < 4000; ++i) seen.insert(part_of("user" + std::to_string(i), kClusterParts));
  CHECK(seen.size() == kClusterParts);
  CHECK(*seen.rbegin() == kClusterParts - 1);
}

TEST_CASE("answers are told once, when the last has come, in the order of the questions") {
  std::vector<Callback<void(int)>> waiting(3);
  std::vector<std::vector<int>> told;
  gather<int>(
      3, [&](size_t i, Callback<void(int)> then) { waiting[i] = std::move(then); },
      [&](const std::vector<int>& answers) { told.push_back(answers); });
  waiting[2](30);
  waiting[0](10);
  CHECK(told.empty());
  waiting[1](20);
  CHECK(told == std::vector<std::vector<int>>{{10, 20, 30}});
}

TEST_CASE("answers that come at once, or to no question, are told once too") {
  int told = 0;
  gather<int>(
      3, [](size_t i, const Callback<void(int)>& then) { then(static_cast<int>(i)); },
      [&](const std::vector<int>& answers) { told += static_cast<int>(answers.size()); });
  CHECK(told == 3);
  gather<int>(
      0, [](size_t, const Callback<void(int)>&) { FAIL("nothing is asked"); },
      [&](const std::vector<int>& answers) { told += answers.empty() ? 1 : 0; });
  CHECK(told == 4);
}

TEST_CASE("a call is done if every part has done it, else it has the first error") {
  const Error other{Code::broken_data, "another", 0};
  CHECK(all_done({true, true}).value());
  CHECK(all_done({true, away(), other}).error() == away());
  CHECK(first_error<bool>({true, false}) == nullptr);
  CHECK(all_failed<bool>({away(), other}));
  CHECK_FALSE(all_failed<bool>({away(), false}));
}

TEST_CASE("what is divided is put together again in its order") {
  std::mt19937 chance(15);
  for (int round = 0; round < 200; ++round) {
    const size_t parts = 1 + chance() % 9;
    std::vector<std::string> names(1 + chance() % 30);
    for (auto& name : names) name = "u" + std::to_string(chance() % 20);
    const auto shares = divide(names, parts, itself);
    std::set<size_t> seen;
    std::vector<std::vector<std::string>> outcomes;
    for (const auto& share : shares) {
      CHECK(seen.insert(share.part).second);
      outcomes.push_back(pick<std::string>(names, share));
      for (const auto& name : outcomes.back()) CHECK(part_of(name, parts) == share.part);
    }
    CHECK(in_order(shares, outcomes) == names);
    const auto only = only_part(names, parts, itself);
    CHECK(only.has_value() == (shares.size() == 1));
    if (only) CHECK(*only == shares.front().part);
  }
}

// --- pages -------------------------------------------------------------------------------------

struct Item {
  std::string name;
  int count = 0;
  bool operator==(const Item&) const = default;
};

PartPage<Item> merge(std::vector<PartPage<Item>> pages, size_t limit) {
  return merge_pages(
      std::move(pages), limit, [](const Item& item) -> const std::string& { return item.name; },
      [](Item& first, const Item& further) { first.count += further.count; });
}

TEST_CASE("a page of several parts has the first names of all, each once") {
  const auto merged = merge({{{{"a", 1}, {"d", 1}}, ""}, {{{"a", 2}, {"b", 1}}, ""}, {}}, 2);
  CHECK(merged.items == std::vector<Item>{{"a", 3}, {"b", 1}});
  CHECK(merged.next == "b");
}

TEST_CASE("the last page of several parts says that it is the last") {
  CHECK(merge({{{{"a", 1}}, ""}, {{{"b", 1}}, ""}}, 2).next.empty());
  CHECK(merge({{{{"a", 1}}, ""}, {{{"a", 1}}, ""}}, 1).next.empty());
  CHECK(merge({}, 1).next.empty());
}

TEST_CASE("a page ends where a part's page ends before it, though other parts know of more") {
  const auto merged = merge({{{{"a", 1}}, "b"}, {{{"b", 1}, {"c", 1}, {"d", 1}}, ""}}, 3);
  CHECK(merged.items == std::vector<Item>{{"a", 1}, {"b", 1}});
  CHECK(merged.next == "b");
}

// A part shows a page of its names, of which some are gone: they take room, and are not shown.
PartPage<Item> page_of(const std::map<std::string, int>& names, const std::string& after,
                       size_t limit) {
  PartPage<Item> page;
  size_t seen = 0;
  for (auto at = names.upper_bound(after); at != names.end(); ++at) {
    if (seen++ == limit) {
      page.next = std::prev(at)->first;
      break;
    }
    if (at->second > 0) page.items.push_back({at->first, at->second});
  }
  return page;
}

TEST_CASE("page after page, several parts show what one sorted list would show") {
  std::mt19937 chance(1515);
  for (int round = 0; round < 300; ++round) {
    CAPTURE(round);
    std::vector<std::map<std::string, int>> parts(1 + chance() % 7);
    std::map<std::string, int> all;
    const bool gone = round % 2 == 1;
    for (size_t i = chance() % 80; i > 0; --i) {
      const auto name = "n" + std::to_string(chance() % 60);
      const int count = gone && chance() % 3 == 0 ? 0 : 1 + static_cast<int>(chance() % 9);
      auto& its = parts[chance() % parts.size()];
      if (!its.emplace(name, count).second) continue;
      if (count > 0) all[name] += count;
    }
    const size_t limit = 1 + chance() % 12;
    std::map<std::string, int> found;
    std::string after;
    do {
      std::vector<PartPage<Item>> pages;
      pages.reserve(parts.size());
      for (const auto& part : parts) pages.push_back(page_of(part, after, limit));
      const auto merged = merge(std::move(pages), limit);
      CHECK(merged.items.size() <= limit);
      if (!gone && !merged.next.empty()) {
        CHECK(merged.items.size() == limit);
        CHECK(all.upper_bound(merged.next) != all.end());
      }
      for (const auto& item : merged.items) {
        CHECK(item.name > after);
        CHECK(found.emplace(item.name, item.count).second);
      }
      REQUIRE((merged.next.empty() || merged.next > after));
      after = merged.next;
    } while (!after.empty());
    CHECK(found == all);
  }
}

}  // namespace
}  // namespace letterbox::test
