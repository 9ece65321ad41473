// SPDX-License-Identifier: MIT
#include "mailbox/sweeper.h"

#include <algorithm>
#include <cassert>
#include <memory>
#include <span>
#include <utility>

#include "model/json_writer.h"

namespace letterbox {

namespace {

// The pause between two sweeps. With events it is short, so that they are not late.
constexpr uint64_t kEventsEveryMs = 250;
constexpr uint64_t kEveryMs = 1000;
// After a failure.
constexpr uint64_t kRetryMs = 1000;

}  // namespace

// The events of one sweep, and what became of them.
struct Sweeper::Round {
  std::vector<std::string> events;
  std::vector<bool> taken;
  size_t open = 0;  // events not yet answered
};

Sweeper::Sweeper(Loop& loop, PresenceStore& store, Deliver deliver)
    : loop_(loop), store_(store), deliver_(std::move(deliver)) {}

void Sweeper::look() {
  store_.sweep([this](const Or<PresenceStore::Swept>& found) {
    if (found) {
      swept(*found);
    } else {
      look_in(kRetryMs);
    }
  });
}

void Sweeper::look_in(uint64_t ms) {
  loop_.at(loop_.clock().steady_ms() + ms, [this] { look(); });
}

void Sweeper::swept(const PresenceStore::Swept& swept) {
  figures_.gone.add(swept.gone);
  figures_.waiting.set(static_cast<int64_t>(swept.waiting));
  const auto round = std::make_shared<Round>();
  round->events = swept.events;
  round->taken.resize(round->events.size());
  round->open = round->events.size();
  if (round->events.empty()) {
    // If this sweep has removed users, there may be more to remove.
    look_in(swept.gone > 0 ? 0 : deliver_ ? kEventsEveryMs : kEveryMs);
    return;
  }
  for (size_t i = 0; i < round->events.size(); ++i) {
    deliver(round->events[i], [this, round, i](bool taken) {
      assert(round->open > 0);
      round->taken[i] = taken;
      if (--round->open == 0) settle(*round);
    });
  }
}

// Anything else that another program has put into the list counts as delivered.
void Sweeper::deliver(const std::string& text, Callback<void(bool taken)> then) const {
  const auto event = parse_presence_event(text);
  if (!event || !deliver_) return then(true);
  JsonWriter data;
  data.begin_object().key("user").string(event->user);
  data.key("time").number(static_cast<int64_t>(event->time_ms)).end_object();
  deliver_(event->online ? "user.online" : "user.offline", data.take(), std::move(then));
}

// Removes the events before the first that was not taken. All others are delivered again, so that
// the order is kept.
void Sweeper::settle(const Round& round) {
  assert(round.open == 0 && round.taken.size() == round.events.size());
  const auto first_lost = std::find(round.taken.begin(), round.taken.end(), false);
  const auto taken = static_cast<size_t>(first_lost - round.taken.begin());
  if (taken == 0) {
    look_in(kRetryMs);
    return;
  }
  store_.settle(std::span(round.events).first(taken),
                [this, taken, whole = taken == round.taken.size()](const Or<bool>& settled) {
                  if (settled) figures_.delivered.add(taken);
                  look_in(settled && whole ? 0 : kRetryMs);
                });
}

}  // namespace letterbox
