// SPDX-License-Identifier: MIT
#include "mailbox/scheduler.h"

#include <algorithm>
#include <cassert>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/rare.h"
#include "model/scheduled_id.h"

namespace letterbox {

namespace {

// The pause between two looks, if nothing is due before; and after a failure.
constexpr uint64_t kEveryMs = 250;
// A message that is pushed later than this after its time counts as late.
constexpr uint64_t kLateMs = 1000;
// An id is in the calendar's index a moment before its message. Without a message it is removed
// from the index so long after its time.
constexpr uint64_t kMissingMs = 60'000;
// What can't be pushed now is tried again after as long as it is overdue, within these.
constexpr uint64_t kPostponeLeastMs = 100;
constexpr uint64_t kPostponeMostMs = 60'000;

}  // namespace

// The messages of one look, and what became of them.
struct Scheduler::Round {
  uint64_t pause_ms;  // before the next look
  uint64_t now;
  std::vector<std::string> gone = {};
  std::vector<Calendar::Postponed> postponed = {};
  size_t open = 1;  // pushes without an outcome, and the one who sends them
};

Scheduler::Scheduler(Loop& loop, Calendar& calendar, Store& store)
    : loop_(loop), calendar_(calendar), store_(store) {}

void Scheduler::look() {
  calendar_.look(kDueMessages, kEveryMs, [this](const Or<Calendar::Look>& look) {
    if (look) {
      found(*look);
    } else {
      look_in(kEveryMs);
    }
  });
}

// (Also if it is 0: the loop then comes to its other work before.)
void Scheduler::look_in(uint64_t ms) {
  loop_.at(loop_.clock().steady_ms() + ms, [this] { look(); });
}

void Scheduler::found(const Calendar::Look& look) {
  figures_.waiting.set(static_cast<int64_t>(look.waiting));
  const uint64_t now = loop_.clock().wall_ms();
  const uint64_t next = look.next_ms.value_or(now + kEveryMs);
  const uint64_t pause = look.more ? 0 : std::min(next - std::min(next, now), kEveryMs);
  const auto round = std::make_shared<Round>(Round{.pause_ms = pause, .now = now});
  for (const auto& due : look.due) {
    if (due.message) {
      push(round, due);
    } else {
      missing(*round, due);
    }
  }
  finish(round);
}

void Scheduler::push(const RoundPtr& round, const Calendar::Due& due) {
  ++round->open;
  const auto id = ScheduledId::parse(due.id);
  assert(id);
  const std::string_view user = id->user;
  store_.push_each({&user, 1}, due.message->element,
                   {.record = {}, .collapse = due.message->collapse, .scheduled = due.id},
                   [this, round, due](const std::vector<Or<Pushed>>& outcomes) {
                     pushed(*round, due, outcomes.front());
                     finish(round);
                   });
}

void Scheduler::pushed(Round& round, const Calendar::Due& due, const Or<Pushed>& outcome) {
  if (outcome) {
    round.gone.push_back(due.id);
    if (outcome->id == Cursor{}) {
      rare<"a scheduled message was cancelled or pushed by another program">();
      return;
    }
    figures_.pushed.add();
    if (loop_.clock().wall_ms() > due.at_ms + kLateMs) figures_.late.add();
  } else if (outcome.error().code == Code::store_unavailable) {
    round.pause_ms = kEveryMs;
  } else {
    rare<"a scheduled message can't be pushed to its mailbox">();
    postpone(round, due);
  }
}

void Scheduler::missing(Round& round, const Calendar::Due& due) const {
  if (round.now > due.at_ms + kMissingMs) {
    rare<"an id of the calendar's index has no message">();
    round.gone.push_back(due.id);
  } else {
    postpone(round, due);
  }
}

void Scheduler::postpone(Round& round, const Calendar::Due& due) const {
  const uint64_t overdue = round.now - std::min(round.now, due.at_ms);
  round.postponed.push_back(
      {due.id, round.now + std::clamp(overdue, kPostponeLeastMs, kPostponeMostMs)});
}

void Scheduler::finish(const RoundPtr& round) {
  assert(round->open > 0);
  if (--round->open > 0) return;
  if (round->gone.empty() && round->postponed.empty()) return look_in(round->pause_ms);
  calendar_.settle(round->gone, round->postponed, [this, round](const Or<bool>& settled) {
    look_in(settled ? round->pause_ms : kEveryMs);
  });
}

}  // namespace letterbox
