// SPDX-License-Identifier: MIT
#include "mailbox/redis_calendar.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/random.h"
#include "base/rare.h"
#include "base/text.h"
#include "mailbox/failure.h"
#include "mailbox/keys.h"
#include "model/message.h"
#include "model/scheduled_id.h"
#include "scripts.h"

namespace letterbox {

namespace {

// What schedule.lua replies.
constexpr int64_t kIdTaken = 0;
constexpr int64_t kFull = -1;

constexpr char kAfterOptions = '|';
constexpr std::string_view kCollapse = "c=";
// Begins the record of an outcome: `scheduled ID AT 0`, which push.lua can read.
constexpr std::string_view kRecorded = "scheduled ";

// `OPTIONS|ELEMENT`, the options as push.lua has them.
std::string to_entry(std::string_view element, const PushOptions& options) {
  std::string entry;
  if (!options.collapse.empty()) entry.append(kCollapse).append(options.collapse);
  entry += kAfterOptions;
  return entry.append(element);
}

std::optional<ScheduledMessage> to_message(std::string_view entry) {
  if (entry.find(kAfterOptions) == std::string_view::npos) return std::nullopt;
  std::string_view options = take_until(entry, kAfterOptions);
  if (!parse_element(entry)) return std::nullopt;
  ScheduledMessage message{.element = std::string(entry), .collapse = {}};
  while (!options.empty()) {
    const std::string_view word = take_until(options, ' ');
    if (word.starts_with(kCollapse)) message.collapse = word.substr(kCollapse.size());
  }
  return message;
}

// The outcome of an earlier call. None if that call pushed at once: its program's clock is ahead.
std::optional<Scheduled> to_replay(std::string_view record) {
  if (!record.starts_with(kRecorded)) return std::nullopt;
  record.remove_prefix(kRecorded.size());
  const auto id = ScheduledId::parse(take_until(record, ' '));
  if (!id) return std::nullopt;
  return Scheduled{.id = id->text(), .at_ms = id->at_ms, .replayed = true};
}

Error schedule_full() {
  return {Code::schedule_full,
          "as many messages of this user are scheduled as a mailbox may hold, or as many bytes"};
}

}  // namespace

// A message on its way into the calendars of some users.
struct RedisCalendar::Adding {
  std::vector<std::string> users;
  uint64_t at_ms;
  std::string entry;
  std::string record;
  ThenEach then;
  Or<bool> indexed = store_unavailable();  // what has become of the last ids in the index
  std::vector<Or<Scheduled>> outcomes = {};
  size_t open = 0;  // users without an outcome
};

RedisCalendar::RedisCalendar(Redis& redis, const Clock& clock, const MailboxLimits& limits,
                             Replicas& replicas)
    : redis_(redis),
      clock_(clock),
      limits_(limits),
      replicas_(replicas),
      next_number_(static_cast<uint32_t>(random_below(kIdsOfMillisecond))) {}

void RedisCalendar::add_each(std::span<const std::string_view> users, std::string_view element,
                             uint64_t at_ms, const PushOptions& options, ThenEach then) {
  assert(!users.empty() && options.scheduled.empty());
  const auto adding = std::make_shared<Adding>(Adding{.users = {users.begin(), users.end()},
                                                      .at_ms = at_ms,
                                                      .entry = to_entry(element, options),
                                                      .record = options.record,
                                                      .then = std::move(then)});
  adding->open = users.size();
  adding->outcomes.resize(users.size(), store_unavailable());
  add(adding, 0, users.size());
}

// Each id is written into the index first, on the same connection: if only one of the two writes is
// carried out, or reaches a replica, it is this one. An id in the index without a message does no
// harm, but a message without an id in the index would never be pushed.
void RedisCalendar::add(const std::shared_ptr<Adding>& adding, size_t first, size_t count) {
  std::vector<std::string> ids;
  ids.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const ScheduledId id{adding->users[first + i], adding->at_ms, next_number_};
    next_number_ = (next_number_ + 1) % kIdsOfMillisecond;
    ids.push_back(id.text());
  }
  const std::string at = std::to_string(adding->at_ms);
  const std::string& index = shared_keys(redis_.part()).schedule;
  std::vector<std::string_view> words{"ZADD", index};
  for (const auto& id : ids) words.insert(words.end(), {at, id});
  redis_.command(words, [adding, &index](const Reply& reply) {
    adding->indexed = reply.ok() ? Or<bool>(true) : failure_of(reply, index);
  });
  const uint64_t life = kDelayMostMs + limits_.life_ms + kScheduleMarginMs;
  redis_.command({"PEXPIRE", index, std::to_string(life)}, [](const Reply&) {});
  for (size_t i = 0; i < count; ++i) keep(adding, first + i, ids[i]);
}

void RedisCalendar::keep(const std::shared_ptr<Adding>& adding, size_t which,
                         const std::string& id) {
  const std::string& user = adding->users[which];
  assert(part_of(user) == redis_.part());
  const uint64_t now = clock_.wall_ms();
  const uint64_t left = adding->at_ms - std::min(adding->at_ms, now);
  const std::array<std::string, 5> texts{
      std::to_string(limits_.messages_kept), std::to_string(limits_.bytes_kept),
      std::to_string(left + limits_.life_ms),
      std::string(kRecorded) + id + ' ' + std::to_string(adding->at_ms) + " 0",
      std::to_string(limits_.record_life_ms)};
  const std::array<std::string_view, 7> arguments{id,       adding->entry, texts[0], texts[1],
                                                  texts[2], texts[3],      texts[4]};
  std::vector<std::string> keys{scheduled_key(user)};
  if (!adding->record.empty()) keys.push_back(pushed_key(user, adding->record));
  const std::vector<std::string_view> names(keys.begin(), keys.end());
  redis_.eval(lua::schedule, names, arguments,
              [this, adding, which, id](const Reply& reply) { kept(adding, which, id, reply); });
}

void RedisCalendar::kept(const std::shared_ptr<Adding>& adding, size_t which, const std::string& id,
                         const Reply& reply) {
  if (reply.ok() && reply.text().empty() && reply.integer() == kIdTaken) {
    rare<"a message was scheduled by an id that another one has">();
    next_number_ = static_cast<uint32_t>(random_below(kIdsOfMillisecond));
    return add(adding, which, 1);
  }
  auto& outcome = adding->outcomes[which];
  if (!reply.ok()) {
    outcome = failure_of(reply);
  } else if (!reply.text().empty()) {
    const auto replay = to_replay(reply.text());
    outcome = replay ? Or<Scheduled>(*replay) : store_unavailable();
  } else if (reply.integer() == kFull) {
    outcome = schedule_full();
  } else if (!adding->indexed) {
    rare<"the index of scheduled messages could not be written">();
    outcome = adding->indexed.error();
    cancel(id, [](const Or<bool>&) {});
  } else {
    outcome = Scheduled{.id = id, .at_ms = adding->at_ms};
  }
  const bool is_kept = outcome && outcome->id == id;
  if (reply.came() && !is_kept) {
    redis_.command({"ZREM", shared_keys(redis_.part()).schedule, id}, [](const Reply&) {});
  }
  assert(adding->open > 0);
  if (--adding->open == 0) replicas_.pass_on(std::move(adding->outcomes), std::move(adding->then));
}

// The ids are all that Redis shows at first: they can be sorted here, and say the time.
void RedisCalendar::view(std::string_view user, std::string_view after, size_t limit,
                         Then<ScheduledPage> then) {
  const std::string key = scheduled_key(user);
  redis_.command({"HKEYS", key}, [this, key, user = std::string(user), after = std::string(after),
                                  limit, then = std::move(then)](const Reply& reply) mutable {
    if (!reply.ok()) return then(failure_of(reply, key));
    std::vector<std::string> ids;
    for (size_t i = 0; i < reply.size(); ++i) {
      const auto id = ScheduledId::parse(reply[i].text());
      if (id && id->user == user && reply[i].text() > after) ids.push_back(id->text());
    }
    if (ids.empty()) return then(ScheduledPage{});
    std::sort(ids.begin(), ids.end());
    const size_t asked = std::min(limit, ids.size());
    const std::string most = std::to_string(limits_.answer_bytes);
    std::vector<std::string_view> arguments{most};
    arguments.insert(arguments.end(), ids.begin(), ids.begin() + static_cast<ptrdiff_t>(asked));
    const std::array<std::string_view, 1> keys{key};
    redis_.eval(lua::entries, keys, arguments, [ids, then = std::move(then)](const Reply& entries) {
      if (!entries.ok() || entries.size() == 0) return then(failure_of(entries));
      ScheduledPage page;
      for (size_t i = 0; i < std::min(entries.size(), ids.size()); ++i) {
        auto message = to_message(entries[i].text());
        if (!message) continue;
        page.entries.push_back({ids[i], ScheduledId::parse(ids[i])->at_ms, std::move(*message)});
      }
      if (entries.size() < ids.size()) page.next = ids[entries.size() - 1];
      then(std::move(page));
    });
  });
}

void RedisCalendar::cancel(std::string_view id, Then<bool> then) {
  const auto parsed = ScheduledId::parse(id);
  assert(parsed);
  const std::string key = scheduled_key(parsed->user);
  const std::array<std::string_view, 1> keys{key};
  const std::array<std::string_view, 1> arguments{id};
  redis_.eval(
      lua::cancel, keys, arguments,
      [this, key, id = std::string(id), then = std::move(then)](const Reply& reply) {
        if (!reply.ok()) return then(failure_of(reply, key));
        if (reply.integer() == 0) return then(false);
        redis_.command({"ZREM", shared_keys(redis_.part()).schedule, id}, [](const Reply&) {});
        then(true);
      });
}

// The messages of one look, as they come.
struct RedisCalendar::Looking {
  size_t most;
  uint64_t now;
  Then<Look> then;
  Look look = {};
  size_t open = 0;    // messages that have not come yet
  bool away = false;  // one of them could not be asked for
};

void RedisCalendar::look(size_t most, uint64_t ahead_ms, Then<Look> then) {
  const auto looking = std::make_shared<Looking>(
      Looking{.most = most, .now = clock_.wall_ms(), .then = std::move(then)});
  const std::string until = std::to_string(looking->now + ahead_ms);
  const std::string& index = shared_keys(redis_.part()).schedule;
  redis_.command({"ZCARD", index},
                 [looking](const Reply& reply) { looking->look.waiting = reply.number(); });
  redis_.command(
      {"ZRANGEBYSCORE", index, "-inf", until, "WITHSCORES", "LIMIT", "0", std::to_string(most + 1)},
      [this, &index, looking](const Reply& reply) {
        if (!reply.ok()) return looking->then(failure_of(reply, index));
        fetch(looking, reply);
      });
}

void RedisCalendar::fetch(const std::shared_ptr<Looking>& looking, const Reply& found) {
  Look& look = looking->look;
  std::vector<std::string> keys;
  for (size_t i = 0; i + 1 < found.size() && !look.more && !look.next_ms; i += 2) {
    const uint64_t score = found[i + 1].number();
    auto id = ScheduledId::parse(found[i].text());
    if (score > looking->now) {
      look.next_ms = score;
    } else if (look.due.size() == looking->most) {
      look.more = true;
    } else if (id && part_of(id->user) == redis_.part()) {
      keys.push_back(scheduled_key(id->user));
      look.due.push_back({.id = id->text(), .at_ms = id->at_ms, .message = {}});
    } else {
      // (Another program has put it there by hand.)
      redis_.command({"ZREM", shared_keys(redis_.part()).schedule, found[i].text()},
                     [](const Reply&) {});
      look.more = true;
    }
  }
  looking->open = look.due.size();
  if (look.due.empty()) return looking->then(std::move(look));
  for (size_t i = 0; i < keys.size(); ++i) {
    redis_.command({"HGET", keys[i], look.due[i].id}, [looking, i](const Reply& reply) {
      looking->away = looking->away || !reply.came();
      looking->look.due[i].message = to_message(reply.text());
      if (--looking->open > 0) return;
      if (looking->away) return looking->then(store_unavailable());
      looking->then(std::move(looking->look));
    });
  }
}

void RedisCalendar::settle(std::span<const std::string> gone, std::span<const Postponed> postponed,
                           Then<bool> then) {
  assert(!gone.empty() || !postponed.empty());
  const auto told = std::make_shared<Then<bool>>(std::move(then));
  const std::string& index = shared_keys(redis_.part()).schedule;
  const auto done = [told, &index](const Reply& reply) {
    (*told)(reply.ok() ? Or<bool>(true) : failure_of(reply, index));
  };
  if (!gone.empty()) {
    std::vector<std::string_view> words{"ZREM", index};
    words.insert(words.end(), gone.begin(), gone.end());
    if (postponed.empty()) return redis_.command(words, done);
    redis_.command(words, [](const Reply&) {});
  }
  // (XX: another program may have removed them.)
  std::vector<std::string> texts;
  for (const auto& [id, until_ms] : postponed) {
    texts.push_back(std::to_string(until_ms));
    texts.push_back(id);
  }
  std::vector<std::string_view> words{"ZADD", index, "XX"};
  words.insert(words.end(), texts.begin(), texts.end());
  redis_.command(words, done);
}

}  // namespace letterbox
