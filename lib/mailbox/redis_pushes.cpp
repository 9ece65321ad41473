// SPDX-License-Identifier: MIT
#include "mailbox/redis_pushes.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/limits.h"
#include "base/rare.h"
#include "base/text.h"
#include "mailbox/failure.h"
#include "mailbox/keys.h"
#include "model/json.h"
#include "model/names.h"
#include "scripts.h"

namespace letterbox {

namespace {

// push.lua trims by eights: up to this many acknowledged messages may remain in a list.
constexpr size_t kNotYetDropped = kDropMessages - 1;

// A client's line in Redis is written with a delay (KEYS.md, clients). What a client has
// acknowledged in time is not posted to the webhook: it is looked at so much later.
constexpr uint64_t kLineLateMs = kDebtMs + kLapseMs;

// `waiting` in push.lua's reply for a mailbox that the calling program watches itself.
constexpr int64_t kWatchedHere = 2;

// In the place of an epoch: the record has that the message was scheduled.
constexpr std::string_view kScheduled = "scheduled";

Or<Pushed> to_outcome(const Reply& reply) {
  if (reply.is_empty_array()) return Pushed{};
  if (reply.size() < 4) return failure_of(reply);
  if (reply[0].text() == kScheduled) {
    return Pushed{.id = {}, .replayed = true, .scheduled = std::string(reply[1].text())};
  }
  return Pushed{{reply[0].number(), reply[1].number()},
                reply[2].number(),
                reply[3].integer() != 0,
                reply.size() > 4};
}

std::string text_of(const PushOptions& options) {
  std::string text;
  const auto add = [&text](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    assert(value.find(' ') == std::string_view::npos);
    if (!text.empty()) text += ' ';
    (text += name) += value;
  };
  add("r=", options.record);
  add("c=", options.collapse);
  add("s=", options.scheduled);
  return text;
}

// The message that a raw element becomes. (Its push does not wait for replicas: no caller was
// promised that it is kept.)
std::string adopted(std::string_view raw, uint64_t now) {
  return make_element(kDefaultType, json_string(utf8_lossy(raw)), now, 0);
}

}  // namespace

RedisPushes::RedisPushes(Redis& redis, const Clock& clock, const MailboxLimits& limits,
                         const std::string& watcher, Replicas& replicas)
    : redis_(redis),
      clock_(clock),
      limits_(limits),
      watcher_(watcher),
      replicas_(replicas),
      constants_{
          .messages_most = std::to_string(limits.messages_kept),
          .ring_bytes = std::to_string(limits.ring_bytes),
          .client_life = std::to_string(limits.client_life_ms),
          .uncounted_bytes =
              std::to_string(limits.bytes_kept / (limits.messages_kept + kNotYetDropped)),
          .bytes_most = std::to_string(limits.bytes_kept),
          .hears = std::to_string(redis.patience_ms() / 4 * 3),
          .record_life = std::to_string(limits.record_life_ms),
      } {}

RedisPushes::~RedisPushes() { redis_.loop().forget(this); }

void RedisPushes::tell_here(Here here) { here_ = std::move(here); }

void RedisPushes::push(std::span<const std::string_view> users, std::string_view element,
                       const PushOptions& options, Store::ThenEach then) {
  gather({{users.begin(), users.end()},
          std::string(element),
          text_of(options),
          std::move(then),
          true});
}

void RedisPushes::adopt(std::string_view user, std::string_view raw, Store::Then<Pushed> then) {
  gather({{std::string(user)},
          adopted(raw, clock_.wall_ms()),
          {},
          [then = std::move(then)](const auto& outcomes) { then(outcomes.front()); },
          false});
}

void RedisPushes::take_out(std::string_view user, std::string_view raw, Store::Then<bool> then) {
  std::vector<Push> alone;
  alone.push_back({{std::string(user)},
                   adopted(raw, clock_.wall_ms()),
                   {},
                   [then = std::move(then)](const auto& outcomes) {
                     if (outcomes.empty()) return then(false);
                     if (!outcomes.front()) return then(outcomes.front().error());
                     then(true);
                   },
                   false});
  send(std::move(alone), raw);
}

void RedisPushes::gather(Push push) {
  assert(!push.users.empty() && push.then);
  if (gathered_.empty()) redis_.loop().gather_later(this);
  gathered_.push_back(std::move(push));
}

void RedisPushes::flush() {
  std::vector<Push> step;
  size_t recipients = 0;
  size_t bytes = 0;
  for (auto& push : std::exchange(gathered_, {})) {
    const size_t its_bytes = push.users.size() * push.element.size();
    if (recipients + push.users.size() > kStepRecipients || bytes + its_bytes > kStepBytes) {
      if (!step.empty()) send(std::exchange(step, {}), std::nullopt);
      recipients = bytes = 0;
    }
    recipients += push.users.size();
    bytes += its_bytes;
    step.push_back(std::move(push));
  }
  if (!step.empty()) send(std::move(step), std::nullopt);
}

// `raw`: the list's element that the only push in `pushes` is made of. The same step takes it out
// of the list.
void RedisPushes::send(std::vector<Push> pushes, std::optional<std::string_view> raw) {
  std::vector<MailboxKeys> mailboxes;
  std::vector<std::string> counts;
  counts.reserve(pushes.size());
  for (const auto& push : pushes) {
    for (const auto& user : push.users) {
      mailboxes.emplace_back(user);
      assert(mailboxes.back().part == redis_.part());
    }
    counts.push_back(std::to_string(push.users.size()));
  }
  std::vector<std::string_view> keys;
  keys.reserve(4 * mailboxes.size() + 1);
  for (const auto& mailbox : mailboxes) {
    for (const auto key : mailbox.views()) keys.push_back(key);
  }
  keys.push_back(shared_keys(redis_.part()).reign);
  assert(keys.size() == 4 * mailboxes.size() + 1);

  const uint64_t wall = clock_.wall_ms();
  const std::string now = std::to_string(wall);
  const Lives life(limits_.life_ms, wall);
  const std::string due =
      limits_.webhook_ms == 0 ? "0" : std::to_string(wall + limits_.webhook_ms + kLineLateMs);
  std::vector<std::string_view> arguments{
      now,
      constants_.messages_most,
      constants_.ring_bytes,
      life.due_before,
      life.base,
      life.others,
      constants_.client_life,
      constants_.uncounted_bytes,
      constants_.bytes_most,
      here_.rung ? std::string_view(watcher_) : std::string_view(),
      constants_.hears,
      due,
      constants_.record_life,
  };
  assert(arguments.size() % 3 == 1);
  arguments.reserve(arguments.size() + 3 * pushes.size() + 1);
  for (size_t i = 0; i < pushes.size(); ++i) {
    arguments.push_back(pushes[i].element);
    arguments.push_back(counts[i]);
    arguments.push_back(pushes[i].options);
  }
  if (raw) arguments.push_back(*raw);
  assert(!raw || (pushes.size() == 1 && mailboxes.size() == 1));
  assert((arguments.size() % 3 == 2) == raw.has_value());  // by which push.lua tells
  redis_.eval(lua::push, keys, arguments,
              [this, sent = std::move(pushes)](const Reply& reply) mutable {
                answered(reply, std::move(sent));
              });
}

void RedisPushes::answered(const Reply& reply, std::vector<Push> pushes) {
  size_t at = 0;
  for (auto& push : pushes) {
    auto outcomes = outcomes_of(push, reply, at);
    at += push.users.size();
    assert(outcomes.empty() || outcomes.size() == push.users.size());
    if (push.promised) {
      replicas_.pass_on(std::move(outcomes), std::move(push.then));
    } else {
      push.then(outcomes);
    }
  }
}

// The outcomes of a push whose first recipient is number `at` of the reply. Also tells this
// program's own watch of them (`here_`).
std::vector<Or<Pushed>> RedisPushes::outcomes_of(const Push& push, const Reply& reply, size_t at) {
  std::vector<Or<Pushed>> outcomes;
  if (reply.ok() && reply.size() == 0) {
    rare<"a raw element was adopted by another program">();
    return outcomes;
  }
  if (!reply.came() && here_.in_doubt) {
    rare<"nobody knows whether a push was carried out">();
    here_.in_doubt(push.users);
  }
  outcomes.reserve(push.users.size());
  for (const auto& user : push.users) {
    const Reply one = at < reply.size() ? reply[at] : reply;
    ++at;
    const auto& outcome = outcomes.emplace_back(to_outcome(one));
    if (!outcome || outcome->id.epoch == 0) continue;
    if (outcome->replayed) {
      figures_.replays.add();
      continue;
    }
    figures_.messages.add();
    figures_.bytes.add(push.element.size());
    if (one[3].integer() == kWatchedHere) here_.rung(user, ring_of(outcome->id, push.element));
  }
  return outcomes;
}

}  // namespace letterbox
