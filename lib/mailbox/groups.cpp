// SPDX-License-Identifier: MIT
#include "mailbox/groups.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <memory>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "mailbox/failure.h"
#include "mailbox/keys.h"
#include "mailbox/lex_range.h"
#include "scripts.h"

namespace letterbox {

namespace {

// Names a page: they take Redis some hundred microseconds, and the worker as much.
constexpr size_t kPage = 1000;

constexpr std::string_view kScanFromTheStart = "0";

// Until when a user counts as online (ms), from a score as Redis writes it; 0 if there is none.
double until(const Reply& score) {
  double ms = 0;
  const auto text = score.text();
  std::from_chars(text.data(), text.data() + text.size(), ms);
  return ms;
}

}  // namespace

Error group_full(size_t members_max) {
  return {Code::group_full, "a group may have " + std::to_string(members_max) + " members at most"};
}

void Groups::add(std::string_view group, std::string_view user, Then<bool> then) {
  put(group, {std::string(user)}, false, [then = std::move(then)](const Or<GroupChange>& change) {
    if (!change) return then(change.error());
    then(change->added > 0);
  });
}

void Groups::remove_all(std::string_view group, Then<bool> then) {
  put(group, {}, true, [then = std::move(then)](const Or<GroupChange>& change) {
    if (!change) return then(change.error());
    then(change->removed > 0);
  });
}

RedisGroups::RedisGroups(Redis& redis, const Clock& clock, size_t members_max)
    : redis_(redis), clock_(clock), members_max_(members_max), adoption_(redis) {}

// A change of a group that takes one step or several: the users in the order of their names, and
// how far it has come.
struct RedisGroups::Regrouping {
  std::string group;
  std::vector<std::string> users;
  bool replace = false;
  size_t at = 0;            // in `users`
  std::string begin = "-";  // with `replace`: of the range of members that is looked at next
  GroupChange change = {};
};

void RedisGroups::put(std::string_view group, std::vector<std::string> users, bool replace,
                      Then<GroupChange> then) {
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());
  if (replace && users.size() > members_max_) return then(group_full(members_max_));
  for (const auto& user : users) assert(part_of(user) == redis_.part());
  const auto work = std::make_shared<Regrouping>();
  work->group = group;
  work->users = std::move(users);
  work->replace = replace;
  adoption_.meet(group);
  regroup(work, std::move(then));
}

// Each step brings one range of names to what it shall be. Its users are the next ones in order,
// and the last of them ends the range.
void RedisGroups::regroup(const std::shared_ptr<Regrouping>& work, Then<GroupChange> then) {
  const auto& users = work->users;
  const size_t end = std::min(work->at + kGroupStepUsers, users.size());
  const bool last = end == users.size();
  const std::string key = group_key(work->group, redis_.part());
  const std::string most = work->replace ? "0" : std::to_string(members_max_);
  const std::string range_end = last ? "+" : "[" + users[end - 1];
  const std::string_view begin = work->replace ? std::string_view(work->begin) : "";
  std::vector<std::string_view> arguments{work->group, most, begin, range_end,
                                          kTextOf<kGroupStepUsers>};
  arguments.insert(arguments.end(), users.begin() + static_cast<ptrdiff_t>(work->at),
                   users.begin() + static_cast<ptrdiff_t>(end));
  redis_.eval(lua::regroup, std::array<std::string_view, 2>{key, shared_keys(redis_.part()).groups},
              arguments,
              [this, work, end, last, then = std::move(then)](const Reply& reply) mutable {
                if (!reply.ok() || reply.size() < 3) return then(failure_of(reply));
                if (reply[0].integer() < 0) return then(group_full(members_max_));
                work->change.added += reply[0].number();
                work->change.removed += reply[1].number();
                work->change.size = reply[2].number();
                const bool goes_on = reply.size() > 3;
                if (!goes_on && last) return then(work->change);
                work->begin = "(" + (goes_on ? std::string(reply[3].text()) : work->users[end - 1]);
                if (!goes_on) work->at = end;
                regroup(work, std::move(then));
              });
}

void RedisGroups::remove(std::string_view group, std::string_view user, Then<bool> then) {
  const std::string key = group_key(group, redis_.part());
  assert(part_of(user) == redis_.part());
  const std::string its_groups = groups_key(user);
  redis_.eval(lua::leave,
              std::array<std::string_view, 3>{key, shared_keys(redis_.part()).groups, its_groups},
              std::array<std::string_view, 2>{group, user},
              [then = std::move(then)](const Reply& reply) {
                if (!reply.ok()) return then(failure_of(reply));
                then(reply.integer() > 0);
              });
}

void RedisGroups::view(std::string_view group, std::string_view after, size_t limit,
                       Then<GroupView> then) {
  const std::string key = group_key(group, redis_.part());
  const auto [least, most] = lex_range({}, std::string(after));
  const std::string one_more = std::to_string(limit + 1);
  const auto view = std::make_shared<GroupView>();
  // Redis answers in order, so the size is there when the next command is answered. If Redis goes
  // away in between, that command fails.
  redis_.command({"ZCARD", key}, [this, view, group = std::string(group)](const Reply& reply) {
    view->size = reply.number();
    if (view->size > 0) adoption_.meet(group);
  });
  redis_.command({"ZRANGEBYLEX", key, least, most, "LIMIT", "0", one_more},
                 [this, key, view, limit, then = std::move(then)](const Reply& reply) mutable {
                   if (!reply.ok()) return then(failure_of(reply, key));
                   view->more = reply.size() > limit;
                   for (size_t i = 0; i < std::min(limit, reply.size()); ++i) {
                     view->members.push_back({std::string(reply[i].text())});
                   }
                   assert(view->members.size() <= limit);
                   mark_online(view, std::move(then));
                 });
}

void RedisGroups::mark_online(const std::shared_ptr<GroupView>& view, Then<GroupView> then) {
  if (view->members.empty()) return then(std::move(*view));
  std::vector<std::string_view> words{"ZMSCORE", shared_keys(redis_.part()).online};
  for (const auto& member : view->members) words.push_back(member.user);
  const auto now = static_cast<double>(clock_.wall_ms());
  redis_.command(words, [view, now, then = std::move(then)](const Reply& reply) {
    if (!reply.ok() || reply.size() < view->members.size()) return then(store_unavailable());
    for (size_t i = 0; i < view->members.size(); ++i) {
      view->members[i].online = until(reply[i]) > now;
    }
    then(std::move(*view));
  });
}

void RedisGroups::list(const GroupQuestion& question, Then<GroupPage> then) {
  adoption_.find_all([this, question, then = std::move(then)](const Or<bool>& found) mutable {
    if (!found) return then(found.error());
    const auto [least, most] = lex_range(question.prefix, question.after);
    redis_.eval(lua::list_groups,
                std::array<std::string_view, 1>{shared_keys(redis_.part()).groups},
                std::array<std::string_view, 3>{least, most, std::to_string(question.limit)},
                [then = std::move(then)](const Reply& reply) {
                  if (!reply.ok() || reply.size() == 0) return then(failure_of(reply));
                  GroupPage page;
                  page.next = reply[0].text();
                  for (size_t i = 1; i + 1 < reply.size(); i += 2) {
                    page.groups.push_back({std::string(reply[i].text()), reply[i + 1].number()});
                  }
                  then(std::move(page));
                });
  });
}

void RedisGroups::groups_of(std::string_view user, Then<std::vector<std::string>> then) {
  assert(part_of(user) == redis_.part());
  const std::string key = groups_key(user);
  redis_.eval(lua::groups_of,
              std::array<std::string_view, 2>{key, shared_keys(redis_.part()).groups},
              std::array{user}, [then = std::move(then)](const Reply& reply) {
                if (!reply.ok()) return then(failure_of(reply));
                std::vector<std::string> names;
                for (size_t i = 0; i < reply.size(); ++i) names.emplace_back(reply[i].text());
                then(std::move(names));
              });
}

void RedisGroups::members(std::string_view group, std::string_view from, Then<Names> then) {
  const std::string key = group_key(group, redis_.part());
  const auto [least, most] = lex_range({}, std::string(from));
  std::string met = from.empty() ? std::string(group) : "";
  redis_.command({"ZRANGEBYLEX", key, least, most, "LIMIT", "0", kTextOf<kPage>},
                 [this, key, met = std::move(met), then = std::move(then)](const Reply& reply) {
                   if (!reply.ok()) return then(failure_of(reply, key));
                   if (!met.empty() && reply.size() > 0) adoption_.meet(met);
                   Names page;
                   page.names.reserve(reply.size());
                   for (size_t i = 0; i < reply.size(); ++i) {
                     page.names.emplace_back(reply[i].text());
                   }
                   if (page.names.size() == kPage) page.next = page.names.back();
                   then(std::move(page));
                 });
}

// By ZSCAN: scores change all the time, so a page by score could skip a user.
void RedisGroups::online(std::string_view from, Then<Names> then) {
  const auto now = static_cast<double>(clock_.wall_ms());
  redis_.command({"ZSCAN", shared_keys(redis_.part()).online,
                  from.empty() ? kScanFromTheStart : from, "COUNT", kTextOf<kPage>},
                 [now, then = std::move(then)](const Reply& reply) {
                   if (!reply.ok() || reply.size() < 2) return then(store_unavailable());
                   Names page;
                   const Reply found = reply[1];
                   for (size_t i = 0; i + 1 < found.size(); i += 2) {
                     if (until(found[i + 1]) > now) page.names.emplace_back(found[i].text());
                   }
                   if (reply[0].text() != kScanFromTheStart) page.next = reply[0].text();
                   then(std::move(page));
                 });
}

}  // namespace letterbox
