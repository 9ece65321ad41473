// SPDX-License-Identifier: MIT
#include "mailbox/groups.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <utility>

#include "mailbox/keys.h"
#include "scripts.h"

namespace letterbox {

namespace {

// So many names at a time: some hundred microseconds for Redis, and as much for the worker.
constexpr size_t kPage = 1000;
constexpr std::string_view kPageText = "1000";

constexpr std::string_view kScanFromTheStart = "0";

// Until when a user counts as online, as Redis writes scores; 0 for who is not there.
double until(const Reply& score) {
  double ms = 0;
  const auto text = score.text();
  std::from_chars(text.data(), text.data() + text.size(), ms);
  return ms;
}

// Where a range by name begins.
std::string behind(std::string_view name) { return name.empty() ? "-" : "(" + std::string(name); }

// Of a command that answers how many it has removed.
RedisConnection::Callback whether_any(Groups::Then<bool> then) {
  return [then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(store_unavailable());
    then(reply.integer() > 0);
  };
}

}  // namespace

RedisGroups::RedisGroups(RedisConnection& redis, const Clock& clock, size_t members_max)
    : redis_(redis), clock_(clock), members_max_(members_max) {}

void RedisGroups::add(std::string_view group, std::string_view user, Then<bool> then) {
  const std::string key = group_key(group);
  const std::string most = std::to_string(members_max_);
  const std::array<std::string_view, 1> keys{key};
  const std::array<std::string_view, 2> arguments{user, most};
  redis_.eval(lua::join, keys, arguments, [most, then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(store_unavailable());
    if (reply.integer() >= 0) return then(reply.integer() == 1);
    then(Error{Code::group_full, "a group may have " + most + " members at most"});
  });
}

void RedisGroups::remove(std::string_view group, std::string_view user, Then<bool> then) {
  const std::string key = group_key(group);
  redis_.command({"ZREM", key, user}, whether_any(std::move(then)));
}

// (A group of a hundred thousand takes a while to be freed: not in Redis' one thread.)
void RedisGroups::remove_all(std::string_view group, Then<bool> then) {
  const std::string key = group_key(group);
  redis_.command({"UNLINK", key}, whether_any(std::move(then)));
}

void RedisGroups::view(std::string_view group, std::string_view after, size_t limit,
                       Then<GroupView> then) {
  const std::string key = group_key(group);
  const std::string one_more = std::to_string(limit + 1);
  const auto view = std::make_shared<GroupView>();
  // What it says is known before the next is answered; where Redis goes in between, both fail.
  redis_.command({"ZCARD", key}, [view](const Reply& reply) {
    view->size = static_cast<uint64_t>(reply.integer());
  });
  redis_.command({"ZRANGEBYLEX", key, behind(after), "+", "LIMIT", "0", one_more},
                 [this, view, limit, then = std::move(then)](const Reply& reply) {
                   if (!reply.ok()) return then(store_unavailable());
                   view->more = reply.size() > limit;
                   for (size_t i = 0; i < std::min(limit, reply.size()); ++i) {
                     view->members.push_back({std::string(reply[i].text())});
                   }
                   mark_online(view, then);
                 });
}

void RedisGroups::mark_online(const std::shared_ptr<GroupView>& view, const Then<GroupView>& then) {
  if (view->members.empty()) return then(std::move(*view));
  std::vector<std::string_view> words{"ZMSCORE", kOnlineKey};
  for (const auto& member : view->members) words.push_back(member.user);
  const auto now = static_cast<double>(clock_.wall_ms());
  redis_.command(words, [view, now, then](const Reply& reply) {
    if (!reply.ok() || reply.size() < view->members.size()) return then(store_unavailable());
    for (size_t i = 0; i < view->members.size(); ++i) {
      view->members[i].online = until(reply[i]) > now;
    }
    then(std::move(*view));
  });
}

void RedisGroups::members(std::string_view group, std::string_view from, Then<Names> then) {
  const std::string key = group_key(group);
  redis_.command({"ZRANGEBYLEX", key, behind(from), "+", "LIMIT", "0", kPageText},
                 [then = std::move(then)](const Reply& reply) {
                   if (!reply.ok()) return then(store_unavailable());
                   Names page;
                   page.names.reserve(reply.size());
                   for (size_t i = 0; i < reply.size(); ++i) {
                     page.names.emplace_back(reply[i].text());
                   }
                   if (page.names.size() == kPage) page.next = page.names.back();
                   then(std::move(page));
                 });
}

// By a scan: scores change all the while, and would let a page by score skip somebody.
void RedisGroups::online(std::string_view from, Then<Names> then) {
  const auto now = static_cast<double>(clock_.wall_ms());
  redis_.command({"ZSCAN", kOnlineKey, from.empty() ? kScanFromTheStart : from, "COUNT", kPageText},
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
