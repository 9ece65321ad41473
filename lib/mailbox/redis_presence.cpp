// SPDX-License-Identifier: MIT
#include "mailbox/redis_presence.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <memory>
#include <utility>

#include "base/text.h"
#include "mailbox/keys.h"
#include "mailbox/lex_range.h"
#include "model/names.h"
#include "scripts.h"

namespace letterbox {

namespace {

// The index in sweep.lua's reply at which the events begin.
constexpr size_t kSweptHead = 3;
constexpr uint64_t kSayAgainMs = 60'000;

size_t count(const Reply& reply) {
  return static_cast<size_t>(std::max<int64_t>(reply.integer(), 0));
}

// "LAST UNTIL ADDRESS AGENT". The agent comes last, since it may contain blanks.
std::string to_line(const PresentClient& client) {
  std::string line;
  append_u64(line, client.last_ms);
  line += ' ';
  append_u64(line, client.until_ms);
  line += ' ';
  line += client.address;
  line += ' ';
  return line + client.agent;
}

PresentClient to_client(std::string_view name, std::string_view line) {
  PresentClient client;
  client.name = utf8_lossy(name);
  client.last_ms = parse_u64(take_until(line, ' ')).value_or(0);
  client.until_ms = parse_u64(take_until(line, ' ')).value_or(0);
  client.address = utf8_lossy(take_until(line, ' '));
  client.agent = utf8_lossy(line);
  return client;
}

// `until_ms` is the user's score, `clients` the reply of HGETALL.
PresentUser to_user(std::string name, uint64_t until_ms, const Reply& clients, uint64_t now) {
  PresentUser user;
  user.name = std::move(name);
  user.until_ms = until_ms > now ? until_ms : 0;
  for (size_t i = 0; i + 1 < clients.size(); i += 2) {
    auto client = to_client(clients[i].text(), clients[i + 1].text());
    user.last_ms = std::max(user.last_ms, client.last_ms);
    if (client.until_ms > now) user.clients.push_back(std::move(client));
  }
  std::sort(user.clients.begin(), user.clients.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return user;
}

}  // namespace

RedisPresence::RedisPresence(Redis& redis, const Clock& clock, Log& log, const PresenceRules& rules,
                             std::string sweeper)
    : redis_(redis), clock_(clock), log_(log), rules_(rules), sweeper_(std::move(sweeper)) {}

void RedisPresence::note(std::span<const Note> notes, Then<bool> then) {
  std::vector<std::string> keys;
  std::vector<std::string> words{std::to_string(clock_.wall_ms()), std::to_string(rules_.clients),
                                 std::to_string(rules_.events ? rules_.events_kept : 0),
                                 std::to_string(rules_.life_ms)};
  for (const auto& [user, client] : notes) {
    assert(part_of(user) == redis_.part());
    keys.push_back(presence_key(user));
    words.insert(words.end(), {user, client.name, std::to_string(client.last_ms),
                               std::to_string(client.until_ms), to_line(client)});
  }
  std::vector<std::string_view> names{shared_keys(redis_.part()).online,
                                      shared_keys(redis_.part()).names,
                                      shared_keys(redis_.part()).events};
  names.insert(names.end(), keys.begin(), keys.end());
  const std::vector<std::string_view> arguments(words.begin(), words.end());
  redis_.eval(lua::presence, names, arguments, [this, then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(store_unavailable());
    tell_dropped(reply);
    then(true);
  });
}

// Warns once a minute at most: a list that is full stays full for a while.
void RedisPresence::tell_dropped(const Reply& dropped) {
  if (dropped.integer() <= 0 || clock_.steady_ms() < quiet_until_ms_) return;
  quiet_until_ms_ = clock_.steady_ms() + kSayAgainMs;
  log_.warn("presence events are not delivered: more than ", rules_.events_kept,
            " have piled up, and the oldest are dropped");
}

void RedisPresence::page(const PresenceQuestion& question, Then<PresencePage> then) {
  const auto [least, most] = lex_range(question.prefix, question.after);
  const std::string now = "(" + std::to_string(clock_.wall_ms());
  const std::string one_more = std::to_string(question.limit + 1);
  const auto page = std::make_shared<PresencePage>();
  redis_.command({"ZCOUNT", shared_keys(redis_.part()).online, now, "+inf"},
                 [page](const Reply& reply) { page->online = count(reply); });
  redis_.command(
      {"ZRANGEBYLEX", shared_keys(redis_.part()).names, least, most, "LIMIT", "0", one_more},
      [this, page, limit = question.limit, then = std::move(then)](const Reply& reply) mutable {
        if (!reply.ok()) return then(store_unavailable());
        std::vector<std::string> names;
        for (size_t i = 0; i < std::min(reply.size(), limit); ++i) {
          // Another program may have put any bytes there.
          const auto name = reply[i].text();
          if (valid_user(name) && part_of(name) == redis_.part()) names.emplace_back(name);
        }
        if (reply.size() > limit) page->next = reply[limit - 1].text();
        fetch(names, [page, then = std::move(then)](Or<std::vector<PresentUser>> users) {
          if (!users) return then(users.error());
          page->users = std::move(*users);
          // Whose time was over a moment ago may not have been swept yet.
          std::erase_if(page->users, [](const auto& user) { return user.until_ms == 0; });
          then(std::move(*page));
        });
      });
}

void RedisPresence::user(std::string_view name, Then<PresentUser> then) {
  fetch({std::string(name)}, [then = std::move(then)](Or<std::vector<PresentUser>> users) {
    if (!users) return then(users.error());
    then(std::move(users->front()));
  });
}

// One round trip for all names: replies come in the order of the commands.
void RedisPresence::fetch(const std::vector<std::string>& names,
                          Then<std::vector<PresentUser>> then) {
  if (names.empty()) return then(std::vector<PresentUser>{});
  struct Fetched {
    Then<std::vector<PresentUser>> then;
    std::vector<uint64_t> until;
    std::vector<PresentUser> users;
    bool whole = true;
  };
  const auto fetched = std::make_shared<Fetched>();
  fetched->then = std::move(then);
  const uint64_t now = clock_.wall_ms();
  std::vector<std::string_view> words{"ZMSCORE", shared_keys(redis_.part()).online};
  words.insert(words.end(), names.begin(), names.end());
  redis_.command(words, [fetched, size = names.size()](const Reply& reply) {
    for (size_t i = 0; i < reply.size(); ++i) fetched->until.push_back(count(reply[i]));
    fetched->until.resize(size);
  });
  for (const auto& name : names) {
    const bool last = &name == &names.back();
    redis_.command({"HGETALL", presence_key(name)}, [fetched, name, last, now](const Reply& reply) {
      auto& users = fetched->users;
      fetched->whole = fetched->whole && reply.came();
      users.push_back(to_user(name, fetched->until[users.size()], reply, now));
      if (!last) return;
      if (!fetched->whole) return fetched->then(store_unavailable());
      fetched->then(std::move(users));
    });
  }
}

void RedisPresence::sweep(Then<Swept> then) {
  const std::array<std::string_view, 4> keys{
      shared_keys(redis_.part()).online, shared_keys(redis_.part()).names,
      shared_keys(redis_.part()).events, shared_keys(redis_.part()).sweeper};
  const std::array<std::string, 6> numbers{
      std::to_string(clock_.wall_ms()),
      std::to_string(rules_.turn_ms),
      std::to_string(rules_.users_at_once),
      std::to_string(rules_.events ? rules_.events_at_once : 0),
      std::to_string(rules_.events_kept),
      std::to_string(rules_.life_ms),
  };
  const std::array<std::string_view, 7> arguments{numbers[0], sweeper_,   numbers[1], numbers[2],
                                                  numbers[3], numbers[4], numbers[5]};
  redis_.eval(lua::sweep, keys, arguments, [this, then = std::move(then)](const Reply& reply) {
    if (!reply.ok() || reply.size() < kSweptHead) return then(store_unavailable());
    tell_dropped(reply[1]);
    Swept swept;
    swept.gone = count(reply[0]);
    swept.waiting = count(reply[2]);
    for (size_t i = kSweptHead; i < reply.size(); ++i) swept.events.emplace_back(reply[i].text());
    then(std::move(swept));
  });
}

void RedisPresence::settle(std::span<const std::string> events, Then<bool> then) {
  const std::array<std::string_view, 1> keys{shared_keys(redis_.part()).events};
  const std::vector<std::string_view> arguments(events.begin(), events.end());
  redis_.eval(lua::settle, keys, arguments, [then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(store_unavailable());
    then(true);
  });
}

}  // namespace letterbox
