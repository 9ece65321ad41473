// SPDX-License-Identifier: MIT
//
// Makes one page of the pages that the parts of a cluster have for the same question. For the
// classes Parted… of this folder; a pure function.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <queue>
#include <string>
#include <utility>
#include <vector>

namespace letterbox {

// Items in the order of their names, each name once.
template <class Item>
struct PartPage {
  std::vector<Item> items;
  // All items up to this name are here, and others may follow it; empty: no others follow.
  std::string next;
};

// How many items to ask each part for, so that hardly ever a part has more of the first `limit`:
// names are spread evenly over the parts.
inline size_t share_of_page(size_t limit, size_t parts) {
  constexpr size_t kSpare = 8;
  return std::min(limit, 2 * limit / parts + kSpare);
}

// The first `limit` names of all pages. Nothing is known of a page's names behind its `next`, so
// the page ends there, if need be with fewer items. `name_of` gives an item's name. If several
// pages have a name, join(first, further) adds the further item to the first.
template <class Item, class NameOf, class Join>
PartPage<Item> merge_pages(std::vector<PartPage<Item>> pages, size_t limit, NameOf name_of,
                           Join join) {
  assert(limit > 0);
  std::string known;  // up to this name; empty: all
  for (const auto& page : pages) {
    if (!page.next.empty() && (known.empty() || page.next < known)) known = page.next;
  }
  using Place = std::pair<size_t, size_t>;  // a page, and an item in it
  const auto name_at = [&](const Place& place) -> const std::string& {
    return name_of(pages[place.first].items[place.second]);
  };
  const auto later = [&](const Place& a, const Place& b) { return name_at(a) > name_at(b); };
  std::priority_queue<Place, std::vector<Place>, decltype(later)> heads(later);
  for (size_t i = 0; i < pages.size(); ++i) {
    if (!pages[i].items.empty()) heads.emplace(i, 0);
  }
  PartPage<Item> merged{.items = {}, .next = known};
  while (!heads.empty()) {
    const Place place = heads.top();
    const std::string& name = name_at(place);
    if (!known.empty() && name > known) break;
    const bool again = !merged.items.empty() && name_of(merged.items.back()) == name;
    if (!again && merged.items.size() == limit) {
      merged.next = name_of(merged.items.back());
      break;
    }
    heads.pop();
    if (place.second + 1 < pages[place.first].items.size()) {
      heads.emplace(place.first, place.second + 1);
    }
    Item& item = pages[place.first].items[place.second];
    if (again) {
      join(merged.items.back(), item);
    } else {
      merged.items.push_back(std::move(item));
    }
  }
  return merged;
}

}  // namespace letterbox
