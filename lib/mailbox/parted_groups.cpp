// SPDX-License-Identifier: MIT
#include "mailbox/parted_groups.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <numeric>
#include <utility>

#include "base/rare.h"
#include "base/text.h"
#include "mailbox/merge_pages.h"

namespace letterbox {

namespace {

// Where the names of a part go on: Names::next of that part, and empty at its first page.
struct Place {
  size_t part;
  std::string from;
};

// "PART LENGTH FROM" one after the other. (A name that was put into Redis by hand may have any
// bytes.)
std::string to_text(const std::vector<Place>& places) {
  std::string text;
  for (const auto& [part, from] : places) {
    append_u64(text, part);
    text += ' ';
    append_u64(text, from.size());
    text += ' ';
    text += from;
  }
  return text;
}

std::vector<Place> to_places(std::string_view text) {
  std::vector<Place> places;
  while (!text.empty()) {
    const auto part = parse_u64(take_until(text, ' '));
    const auto length = parse_u64(take_until(text, ' '));
    assert(part && length && *length <= text.size());
    places.push_back({.part = *part, .from = std::string(text.substr(0, *length))});
    text.remove_prefix(*length);
  }
  return places;
}

// Of a change that parts were asked for. If one of them has changed something, another one's error
// must not say that nothing was changed.
Error whole_error(const std::vector<Or<GroupChange>>& answers) {
  const Error* error = first_error(answers);
  assert(error != nullptr);
  const bool nothing_or_some = error->code == Code::group_full || all_failed(answers);
  return nothing_or_some ? *error : store_unavailable(error->message);
}

}  // namespace

// A change of a group: which parts it concerns, and with which users.
struct PartedGroups::Change {
  std::vector<std::string> users;
  bool replace;
  Then<GroupChange> then;
  std::vector<uint64_t> sizes;  // of the group in each part, before
};

void PartedGroups::put(std::string_view group, std::vector<std::string> users, bool replace,
                       Then<GroupChange> then) {
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());
  if (replace && users.size() > members_max_) return then(group_full(members_max_));
  Change change{.users = std::move(users),
                .replace = replace,
                .then = std::move(then),
                .sizes = std::vector<uint64_t>(parts_.size(), 0)};
  if (replace) {
    carry_out(group, std::move(change));
  } else {
    find_room(group, std::move(change));
  }
}

void PartedGroups::find_room(std::string_view group, Change change) {
  gather<Or<GroupView>>(
      parts_.size(),
      [&](size_t part, Then<GroupView> told) { parts_[part].view(group, "", 0, std::move(told)); },
      [this, group = std::string(group),
       change = std::move(change)](const std::vector<Or<GroupView>>& views) mutable {
        if (const Error* error = first_error(views)) return change.then(*error);
        uint64_t size = change.users.size();
        for (size_t part = 0; part < views.size(); ++part) {
          change.sizes[part] = views[part]->size;
          size += views[part]->size;
        }
        if (size > members_max_) return change.then(group_full(members_max_));
        carry_out(group, std::move(change));
      });
}

// With `replace` each part has members to remove, also one that none of the users belongs to.
void PartedGroups::carry_out(std::string_view group, Change change) {
  auto shares = divide(change.users, parts_.size(), itself);
  if (change.replace) {
    std::vector<Share> all(parts_.size());
    for (size_t part = 0; part < all.size(); ++part) all[part].part = part;
    for (auto& share : shares) all[share.part] = std::move(share);
    shares = std::move(all);
  }
  std::vector<size_t> asked;
  asked.reserve(shares.size());
  for (const auto& share : shares) asked.push_back(share.part);
  const auto users = std::move(change.users);
  const bool replace = change.replace;
  gather<Or<GroupChange>>(
      shares.size(),
      [&](size_t i, Then<GroupChange> told) {
        parts_[shares[i].part].put(group, pick<std::string>(users, shares[i]), replace,
                                   std::move(told));
      },
      [asked = std::move(asked),
       change = std::move(change)](const std::vector<Or<GroupChange>>& answers) mutable {
        if (first_error(answers) != nullptr) return change.then(whole_error(answers));
        GroupChange whole;
        for (size_t i = 0; i < answers.size(); ++i) {
          whole.added += answers[i]->added;
          whole.removed += answers[i]->removed;
          change.sizes[asked[i]] = answers[i]->size;
        }
        whole.size = std::accumulate(change.sizes.begin(), change.sizes.end(), uint64_t{0});
        change.then(whole);
      });
}

// A page of a group's members, and how many each part is asked for.
struct PartedGroups::Viewing {
  std::string group;
  std::string after;
  size_t limit;
  size_t share;
  Then<GroupView> then;
  GroupView view = {};
};

void PartedGroups::view(std::string_view group, std::string_view after, size_t limit,
                        Then<GroupView> then) {
  view_on(std::make_shared<Viewing>(Viewing{.group = std::string(group),
                                            .after = std::string(after),
                                            .limit = limit,
                                            .share = share_of_page(limit, parts_.size()),
                                            .then = std::move(then)}));
}

// If the parts were asked for too few members, twice as many are asked for the rest.
void PartedGroups::view_on(const std::shared_ptr<Viewing>& viewing) {
  const size_t wanted = viewing->limit - viewing->view.members.size();
  const size_t asked = std::min(viewing->share, wanted);
  gather<Or<GroupView>>(
      parts_.size(),
      [&](size_t part, Then<GroupView> told) {
        parts_[part].view(viewing->group, viewing->after, asked, std::move(told));
      },
      [this, viewing, wanted](std::vector<Or<GroupView>> answers) {
        if (const Error* error = first_error(answers)) return viewing->then(*error);
        GroupView& view = viewing->view;
        view.size = 0;
        std::vector<PartPage<GroupView::Member>> pages;
        for (auto& answer : answers) {
          view.size += answer->size;
          assert(!answer->more || !answer->members.empty());
          std::string next = answer->more ? answer->members.back().user : "";
          pages.push_back({std::move(answer->members), std::move(next)});
        }
        // (No user is in two parts.)
        auto merged = merge_pages(
            std::move(pages), wanted,
            [](const GroupView::Member& member) -> const std::string& { return member.user; },
            [](GroupView::Member&, const GroupView::Member&) {});
        for (auto& member : merged.items) view.members.push_back(std::move(member));
        view.more = !merged.next.empty();
        if (!view.more || view.members.size() == viewing->limit) {
          return viewing->then(std::move(view));
        }
        rare<"a page of members needs more of a part than was asked for">();
        viewing->after = merged.next;
        viewing->share *= 2;
        view_on(viewing);
      });
}

void PartedGroups::list(const GroupQuestion& question, Then<GroupPage> then) {
  gather<Or<GroupPage>>(
      parts_.size(),
      [&](size_t part, Then<GroupPage> told) { parts_[part].list(question, std::move(told)); },
      [limit = question.limit, then = std::move(then)](std::vector<Or<GroupPage>> answers) {
        if (const Error* error = first_error(answers)) return then(*error);
        std::vector<PartPage<GroupPage::Group>> pages;
        pages.reserve(answers.size());
        for (auto& answer : answers) {
          pages.push_back({std::move(answer->groups), std::move(answer->next)});
        }
        auto merged = merge_pages(
            std::move(pages), limit,
            [](const GroupPage::Group& group) -> const std::string& { return group.name; },
            [](GroupPage::Group& first, const GroupPage::Group& further) {
              first.size += further.size;
            });
        then(GroupPage{std::move(merged.items), std::move(merged.next)});
      });
}

void PartedGroups::members(std::string_view group, std::string_view from, Then<Names> then) {
  page(
      from, parts_.size(),
      [&](size_t part, std::string_view its_from, Then<Names> told) {
        parts_[part].members(group, its_from, std::move(told));
      },
      std::move(then));
}

void PartedGroups::online(std::string_view from, Then<Names> then) {
  page(
      from, parts_.size(),
      [&](size_t part, std::string_view its_from, Then<Names> told) {
        parts_[part].online(its_from, std::move(told));
      },
      std::move(then));
}

void PartedGroups::page(std::string_view from, size_t parts, const AskPart& ask, Then<Names> then) {
  std::vector<Place> asked = to_places(from);
  std::vector<Place> later;
  if (from.empty()) {
    for (size_t part = 0; part < parts; ++part) asked.push_back({.part = part, .from = {}});
  } else if (asked.size() > kPartsAPage) {
    const auto end = asked.begin() + kPartsAPage;
    later.assign(end, asked.end());
    asked.erase(end, asked.end());
  }
  const std::vector<Place> now = asked;
  gather<Or<Names>>(
      now.size(),
      [&](size_t i, Then<Names> told) { ask(now[i].part, now[i].from, std::move(told)); },
      [asked = std::move(asked), later = std::move(later),
       then = std::move(then)](std::vector<Or<Names>> answers) {
        if (const Error* error = first_error(answers)) return then(*error);
        std::vector<Place> places;
        Names whole;
        for (size_t i = 0; i < answers.size(); ++i) {
          auto& names = answers[i]->names;
          whole.names.insert(whole.names.end(), std::move_iterator(names.begin()),
                             std::move_iterator(names.end()));
          if (answers[i]->next.empty()) continue;
          places.push_back({.part = asked[i].part, .from = std::move(answers[i]->next)});
        }
        places.insert(places.end(), later.begin(), later.end());
        whole.next = to_text(places);
        then(std::move(whole));
      });
}

}  // namespace letterbox
