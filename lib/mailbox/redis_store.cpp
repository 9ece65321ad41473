// SPDX-License-Identifier: MIT
#include "mailbox/redis_store.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <deque>
#include <utility>

#include "base/limits.h"
#include "base/rare.h"
#include "base/text.h"
#include "mailbox/failure.h"
#include "mailbox/keys.h"
#include "model/json.h"
#include "model/message.h"
#include "model/names.h"
#include "scripts.h"

namespace letterbox {

namespace {

// The index at which the elements begin in the replies of read.lua and of view.lua.
constexpr size_t kReadHead = 7;
constexpr size_t kViewHead = 7;

// Only a look at a message tells whether it has expired: at most kViewedMost are looked at for GET
// /mailbox, and kUnreadViewedMost for the count of a client.
constexpr std::string_view kViewedMost = "10000";
constexpr std::string_view kUnreadViewedMost = "32";

// The id of a position. In a mailbox that has forked, messages of an earlier epoch keep their ids.
// `forks` is `<EPOCH:LAST` of each fork, the oldest first.
Cursor id_of(const Cursor& position, std::string_view forks) {
  while (!forks.empty()) {
    const std::string_view fork = forks.substr(1, forks.find('<', 1) - 1);
    const size_t colon = std::min(fork.find(':'), fork.size() - 1);
    if (position.seq <= parse_u64(fork.substr(colon + 1)).value_or(0)) {
      rare<"a message is of an earlier epoch than its mailbox">();
      return {parse_u64(fork.substr(0, colon)).value_or(0), position.seq};
    }
    forks.remove_prefix(fork.size() + 1);
  }
  return position;
}

// What the elements of a reply are, from the one at the index `at` on.
struct Elements {
  std::vector<Message> messages;
  uint64_t expired = 0;  // or can't be read
  uint64_t collapsed = 0;
  Cursor last;  // the position of the last element, or `before`
};
Elements elements_of(const Reply& reply, size_t at, const Cursor& before, std::string_view forks,
                     uint64_t now) {
  Elements found;
  found.last = before;
  for (size_t i = at; i < reply.size(); ++i) {
    ++found.last.seq;
    const auto element = parse_element(reply[i].text());
    if (reply[i].text() == kPlaceholder) {
      ++found.collapsed;
    } else if (!element || (element->expires != 0 && element->expires <= now)) {
      ++found.expired;
    } else {
      found.messages.push_back({id_of(found.last, forks), element->body});
    }
  }
  return found;
}

Reading to_reading(const Reply& reply, uint64_t now) {
  const uint64_t epoch = reply[0].number();
  const std::string_view forks = reply[6].text();
  auto found = elements_of(reply, kReadHead, {epoch, reply[1].number()}, forks, now);
  Reading reading;
  reading.newest = {epoch, reply[2].number()};
  reading.missed = reply[3].number() + found.expired;
  reading.collapsed = found.collapsed;
  reading.reset = reply[4].integer() != 0;
  if (reading.reset) rare<"a cursor means nothing to its mailbox">();
  reading.raw = reply[5].integer() != 0;
  reading.messages = std::move(found.messages);
  reading.cursor = id_of(found.last, forks);
  if (epoch == 0) reading.cursor = reading.newest = {};
  return reading;
}

// "EPOCH SEQ SEEN PARKED", as read.lua writes it.
MailboxView::Client to_client(std::string_view name, std::string_view line, uint64_t now,
                              uint64_t client_life) {
  std::array<uint64_t, 4> fields{};
  for (auto& field : fields) field = parse_u64(take_until(line, ' ')).value_or(0);
  MailboxView::Client client;
  client.name = name;
  if (fields[0] != 0) client.cursor = {fields[0], fields[1]};
  client.seen_ms = fields[2];
  client.parked = fields[3] > now;
  client.live = client.parked || client.seen_ms + client_life > now;
  return client;
}

}  // namespace

RedisStore::RedisStore(Redis& redis, const Clock& clock, const MailboxLimits& limits,
                       std::string_view program)
    : redis_(redis),
      clock_(clock),
      limits_(limits),
      watcher_(watcher_of(program)),
      replicas_(redis),
      pushes_(redis, clock, limits_, watcher_, replicas_) {}

MailboxKeys RedisStore::keys_of(std::string_view user) const {
  MailboxKeys keys(user);
  assert(keys.part == redis_.part());
  return keys;
}

void RedisStore::push_each(std::span<const std::string_view> users, std::string_view element,
                           const PushOptions& options, ThenEach then) {
  pushes_.push(users, element, options, std::move(then));
}

void RedisStore::read(const ReadRequest& request, Then<Reading> then) {
  if (request.limit == 0 && request.after && !request.foreign) {
    note(request, std::move(then));
  } else {
    read_all(request, clock_.wall_ms(), std::move(then));
  }
}

void RedisStore::note(const ReadRequest& request, Then<Reading> then) {
  assert(request.after && request.limit == 0);
  const MailboxKeys keys = keys_of(request.user);
  const uint64_t wall = clock_.wall_ms();
  const std::string now = std::to_string(wall);
  const Lives life(limits_.life_ms, wall);
  const std::string epoch = std::to_string(request.after->epoch);
  const std::string seq = std::to_string(request.after->seq);
  const std::string park = std::to_string(request.park_until);
  const std::string watch = std::to_string(request.watch_until);
  const std::array<std::string_view, 3> names{keys.base, keys.unacked, keys.clients};
  const std::array<std::string_view, 9> arguments{
      now, request.client, epoch, seq, park, watcher_, watch, life.due_before, life.base};
  redis_.eval(
      lua::note, names, arguments,
      [this, request, wall, user = std::string(request.user), client = std::string(request.client),
       then = std::move(then)](const Reply& reply) mutable {
        if (!reply.ok()) return then(store_unavailable());
        if (reply.integer() == 1) return then(Reading{});
        ReadRequest whole = request;
        whole.user = user;
        whole.client = client;
        // As of when the note was made: it must not overwrite what has been seen of its client
        // since.
        read_all(whole, wall, std::move(then));
      },
      Redis::Hurry::soon);
}

// One HSET, no script: push.lua reads the clients' lines anyway, and drops acknowledged messages.
// The HSET overtakes no other command. If it is overtaken, its older line only keeps messages
// longer.
void RedisStore::acknowledge(std::string_view user, std::string_view client, const Cursor& after,
                             uint64_t park_until, Then<bool> then) {
  std::string line;
  append_u64(line, after.epoch);
  for (const uint64_t field : {after.seq, clock_.wall_ms(), park_until}) {
    line += ' ';
    append_u64(line, field);
  }
  const std::string key = clients_key(user);
  redis_.command(
      {"HSET", key, client, line},
      [this, key, then = std::move(then)](const Reply& reply) {
        if (!reply.ok()) return then(failure_of(reply, key));
        const bool new_line = reply.integer() != 0;
        // A new line may have made the key, which then has no expiry yet.
        if (new_line) {
          redis_.command({"PEXPIRE", key, Lives(limits_.life_ms, clock_.wall_ms()).others},
                         [](const Reply&) {});
        }
        then(!new_line);
      },
      Redis::Hurry::soon);
}

void RedisStore::read_all(const ReadRequest& request, uint64_t now, Then<Reading> then) {
  const MailboxKeys keys = keys_of(request.user);
  const Lives life(limits_.life_ms, now);
  const std::array<std::string, 7> numbers{
      std::to_string(now),
      request.after ? std::to_string(request.after->seq) : "0",
      std::to_string(request.limit),
      std::to_string(limits_.answer_bytes),
      std::to_string(limits_.client_life_ms),
      std::to_string(request.watch_until),
      std::to_string(request.park_until),
  };
  // A foreign cursor is sent with an epoch that no mailbox has.
  const std::string epoch = request.foreign ? "foreign"
                            : request.after ? std::to_string(request.after->epoch)
                                            : "";
  const std::string clients = std::to_string(limits_.clients);
  const Cursor acknowledged = request.acknowledged.value_or(Cursor{});
  const std::string ack_epoch = std::to_string(acknowledged.epoch);
  const std::string ack_seq = std::to_string(acknowledged.seq);
  assert(!request.stream || request.acknowledged);
  const std::array<std::string_view, 17> arguments{
      numbers[0],  request.client, epoch,      numbers[1], numbers[2],      numbers[3],
      numbers[4],  watcher_,       numbers[5], numbers[6], life.due_before, life.base,
      life.others, clients,        ack_epoch,  ack_seq,    "stream"};
  const size_t given = request.stream ? 17 : request.acknowledged ? 16 : 14;
  redis_.eval(lua::read, keys.with_reign(), std::span(arguments).first(given),
              [then = std::move(then), now](const Reply& reply) {
                if (reply.ok() && reply.size() == 0) {
                  rare<"Redis knows as many clients of a user as there may be">();
                  return then(too_many_clients());
                }
                if (!reply.ok() || reply.size() < kReadHead) return then(failure_of(reply));
                then(to_reading(reply, now));
              });
}

void RedisStore::view(std::string_view user, const Window& window, Then<MailboxView> then) {
  const MailboxKeys keys = keys_of(user);
  const uint64_t now = clock_.wall_ms();
  const std::string now_text = std::to_string(now);
  const std::string client_life = std::to_string(limits_.client_life_ms);
  const std::string limit = std::to_string(window.limit);
  const std::string bytes = std::to_string(limits_.answer_bytes);
  const std::string after =
      std::to_string(window.after.epoch) + " " + std::to_string(window.after.seq);
  const std::array<std::string_view, 6> arguments{now_text, client_life, kViewedMost,
                                                  limit,    bytes,       after};
  redis_.eval(
      lua::view, keys.views(), arguments,
      [then = std::move(then), now, life = limits_.client_life_ms](const Reply& reply) {
        if (!reply.ok() || reply.size() < kViewHead) return then(failure_of(reply));
        const uint64_t epoch = reply[0].number();
        MailboxView view;
        view.queued = reply[3].number();
        if (epoch != 0) view.newest = {epoch, reply[2].number()};
        if (view.queued > 0) view.oldest = id_of({epoch, reply[1].number()}, reply[5].text());
        const Reply clients = reply[4];
        for (size_t i = 0; i + 1 < clients.size(); i += 2) {
          view.clients.push_back(to_client(clients[i].text(), clients[i + 1].text(), now, life));
          Cursor& cursor = view.clients.back().cursor;
          if (cursor.epoch == epoch) cursor = id_of(cursor, reply[5].text());
        }
        view.messages =
            elements_of(reply, kViewHead, {epoch, reply[6].number()}, reply[5].text(), now)
                .messages;
        then(std::move(view));
      });
}

void RedisStore::unread(std::string_view user, std::string_view client, Then<uint64_t> then) {
  const MailboxKeys keys = keys_of(user);
  const std::string now = std::to_string(clock_.wall_ms());
  const std::string client_life = std::to_string(limits_.client_life_ms);
  const std::array<std::string_view, 3> names{keys.base, keys.unacked, keys.clients};
  const std::array<std::string_view, 4> arguments{now, client, client_life, kUnreadViewedMost};
  redis_.eval(lua::unread, names, arguments, [then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(failure_of(reply));
    then(reply.number());
  });
}

void RedisStore::retract(std::string_view user, const Cursor& message, Then<bool> then) {
  const MailboxKeys keys = keys_of(user);
  const std::string collapse = collapse_key(user);
  const uint64_t wall = clock_.wall_ms();
  const std::string now = std::to_string(wall);
  const std::string epoch = std::to_string(message.epoch);
  const std::string seq = std::to_string(message.seq);
  const std::string client_life = std::to_string(limits_.client_life_ms);
  const Lives life(limits_.life_ms, wall);
  const std::array<std::string_view, 5> names{keys.base, keys.unacked, keys.mailbox, keys.clients,
                                              collapse};
  const std::array<std::string_view, 5> arguments{now, epoch, seq, client_life, life.others};
  redis_.eval(lua::withdraw, names, arguments, [then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(failure_of(reply));
    then(reply.integer() != 0);
  });
}

void RedisStore::remove(std::string_view user, Then<bool> then) {
  const MailboxKeys keys = keys_of(user);
  const std::string now = std::to_string(clock_.wall_ms());
  const std::array<std::string_view, 1> arguments{now};
  redis_.eval(lua::remove, keys.views(), arguments, [then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(failure_of(reply));
    then(reply.integer() != 0);
  });
}

void RedisStore::adopt(std::string_view user, std::string_view raw, Then<Pushed> then) {
  pushes_.adopt(user, raw, std::move(then));
}

void RedisStore::adopt_all(std::string_view user, Then<bool> then) {
  const std::string key = mailbox_key(user);
  redis_.command(
      {"LRANGE", key, "0", kTextOf<kHungElements - 1>},
      [this, key, owner = std::string(user), then = std::move(then)](const Reply& reply) mutable {
        if (!reply.ok()) return then(failure_of(reply, key));
        std::deque<std::string> raws;
        for (size_t i = 0; i < reply.size(); ++i) {
          const auto element = reply[i].text();
          if (parse_ring(element).kind == Ring::Kind::raw) raws.emplace_back(element);
        }
        adopt_each(owner, std::move(raws), std::move(then));
      });
}

// One after the other: if an element can't be adopted, none behind it may overtake it.
void RedisStore::adopt_each(const std::string& user, std::deque<std::string> raws,
                            Then<bool> then) {
  if (raws.empty()) return then(true);
  const std::string raw = std::move(raws.front());
  raws.pop_front();
  pushes_.take_out(
      user, raw,
      [this, user, raws = std::move(raws), then = std::move(then)](Or<bool> taken) mutable {
        // (False: another program was quicker, and has it.)
        if (!taken) return then(taken.error());
        adopt_each(user, std::move(raws), std::move(then));
      });
}

}  // namespace letterbox
