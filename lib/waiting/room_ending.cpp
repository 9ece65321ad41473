// SPDX-License-Identifier: MIT
//
// How a wait ends: for whichever reason, by one exit.
#include <algorithm>
#include <utility>

#include "base/random.h"
#include "waiting/room.h"
#include "waiting/room_parts.h"

namespace letterbox {

namespace {

// How long a client may be between two polls before it is noted as away: it is usually back sooner,
// and its note rides along with its acknowledgement.
// (The longest round trip that a page is likely to have, and the pause after a timeout.)
constexpr uint64_t kLapseMs = 500;

}  // namespace

void Room::end(const PollPtr& poll, Ending ending, Answers& todo) {
  ending.cursor = poll->cursor;
  ending.missed = poll->missed;
  ending.reset = poll->reset;
  ending.retry_after_ms = pause_ms(*poll, ending.reason, inside_);
  delivered_.messages.add(ending.count);
  delivered_.bytes.add(ending.messages.size() + ending.single.size());
  delivered_.missed.add(ending.missed);
  finish(poll, ending.reason);
  todo.endings.emplace_back(poll, ending);
}

Reason Room::out_of_time(const Poll& poll) {
  return poll.question.outlives_admission ? Reason::kicked : Reason::timeout;
}

// When to come back. Spread, so that those who were answered together do not return together.
uint64_t Room::pause_ms(const Poll& poll, Reason reason, size_t crowd) {
  switch (reason) {
    case Reason::timeout:
      return poll.question.timeout_ms > 0 ? 1 + random_below(250) : 0;
    case Reason::superseded:
      return poll.state == Poll::State::late ? kFightMs + random_below(kFightMs) : 0;
    case Reason::shutdown:
      return 100 + random_below(200 + std::min<size_t>(crowd, 20'000) / 2);
    default:
      return 0;
  }
}

// The one exit: whatever happens to a poll, it passes here once.
void Room::finish(const PollPtr& poll, Reason reason) {
  unpark(poll);
  poll->state = Poll::State::ended;
  --inside_;
  if (poll->has_place) --places_taken_;
  ++ended_.at(static_cast<size_t>(reason));
  Client* client = current_client(poll);
  if (client == nullptr) return;
  client->poll.reset();
  client->since_ms = clock_.steady_ms();
  if (reason == Reason::messages) client->given_ms = client->since_ms;
  place_of(*client, &lapsing_);
}

// --- before its time -----------------------------------------------------------------------------

void Room::leave(const PollPtr& poll) {
  Answers todo;
  {
    Lock lock(mutex_);
    if (poll->state == Poll::State::ended) return;
    Client* client = current_client(poll);
    finish(poll, Reason::gone);
    if (client != nullptr) {
      // It will not be back in a moment: nothing is kept warm for it.
      client->since_ms = 0;
      todo.notes.push_back(note_of(*client));
      forget(*client);
    }
  }
  carry_out(poll->desk, todo);
}

void Room::kick(Desk& desk, std::string_view user, std::string_view key) {
  Answers todo;
  {
    Lock lock(mutex_);
    const Mailbox* mailbox = known(user);
    if (mailbox == nullptr) return;
    std::vector<PollPtr> out;
    for (const Client& client : mailbox->clients) {
      if (!client.poll || !client.poll->question.admission) continue;
      if (client.poll->question.admission->claim.key() == key) out.push_back(client.poll);
    }
    for (const PollPtr& poll : out) {
      Client* client = current_client(poll);
      end(poll, {.reason = Reason::kicked}, todo);
      // It will not be back: nothing is kept warm for it.
      client->since_ms = 0;
      todo.notes.push_back(note_of(*client));
      forget(*client);
    }
  }
  carry_out(desk, todo);
}

void Room::close(Desk& desk) {
  Answers todo;
  {
    Lock lock(mutex_);
    closing_ = true;
    for (const auto& [due, poll] : late_) {
      if (poll->state == Poll::State::late) end(poll, {.reason = Reason::shutdown}, todo);
    }
    late_.clear();
    for (const auto& [due, poll] : slowed_) {
      if (poll->state == Poll::State::slowed) end(poll, {.reason = Reason::shutdown}, todo);
    }
    slowed_.clear();
    end_overdue(UINT64_MAX, todo);
    while (!deadlines_.empty()) {
      const PollPtr poll = deadlines_.begin()->second;
      Client* client = current_client(poll);
      end(poll, {.reason = Reason::shutdown}, todo);
      if (client == nullptr) continue;
      todo.notes.push_back(note_of(*client));
      todo.notes.back().watch_until = 0;
    }
  }
  carry_out(desk, todo);
}

// --- in time -------------------------------------------------------------------------------------

std::optional<uint64_t> Room::tick(Desk& desk) {
  Answers todo;
  std::optional<uint64_t> next;
  {
    Lock lock(mutex_);
    const uint64_t now = clock_.steady_ms();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      const PollPtr poll = deadlines_.begin()->second;
      end(poll, {.reason = out_of_time(*poll)}, todo);
    }
    end_overdue(now, todo);
    while (!late_.empty() && late_.begin()->first <= now) {
      const PollPtr poll = std::move(late_.begin()->second);
      late_.erase(late_.begin());
      if (poll->state == Poll::State::late) end(poll, {.reason = Reason::superseded}, todo);
    }
    while (!slowed_.empty() && slowed_.begin()->first <= now) {
      const PollPtr poll = std::move(slowed_.begin()->second);
      slowed_.erase(slowed_.begin());
      if (poll->state != Poll::State::slowed) continue;
      read_again(poll);
      todo.reads.push_back(poll);
    }
    write_due_debts(now, todo);
    while (!lapsing_.empty() && lapsing_.front()->since_ms + kLapseMs <= now) {
      Client& client = *lapsing_.front();
      todo.notes.push_back(note_of(client));
      Mailbox& mailbox = *client.mailbox;
      mailbox.watch_noted = todo.notes.back().watch_until;
      // It is watched for no longer than that, from some moment on: who comes next reads.
      mailbox.current = mailbox.current && anybody_waits(mailbox);
      place_of(client, &resting_);
    }
    // (No more are kept warm than may be parked.)
    while (!resting_.empty() &&
           (resting_.front()->since_ms + kWarmMs <= now || resting_.size() > limits_.parked)) {
      forget(*resting_.front());
    }
    next = next_due();
    next_tick_ = next;
  }
  carry_out(desk, todo);
  return next;
}

std::optional<uint64_t> Room::next_due() const {
  std::optional<uint64_t> next;
  const auto consider = [&next](uint64_t due) { next = std::min(due, next.value_or(due)); };
  if (!deadlines_.empty()) consider(deadlines_.begin()->first);
  if (!late_.empty()) consider(late_.begin()->first);
  if (!slowed_.empty()) consider(slowed_.begin()->first);
  if (const auto overdue = turns_.next_overdue()) consider(*overdue);
  if (!lapsing_.empty()) consider(lapsing_.front()->since_ms + kLapseMs);
  if (!resting_.empty()) consider(resting_.front()->since_ms + kWarmMs);
  if (!indebted_.empty()) consider(debt_due_ms(*indebted_.front()->debt.since_ms));
  return next;
}

// Whether something has become due before whoever ticks means to come back.
bool Room::sooner() {
  const auto next = next_due();
  if (!next || (next_tick_ && *next_tick_ <= *next)) return false;
  next_tick_ = next;
  return true;
}

// --- outside of the mutex ------------------------------------------------------------------------

void Room::carry_out(Desk& desk, const Answers& todo) {
  for (const auto& [poll, ending] : todo.endings) poll->caller->answer(to_json(ending));
  for (const auto& [poll, error] : todo.refusals) poll->caller->refuse(error);
  // Who has gone is noted before others are read for: there may be room for one client more then.
  for (const auto& note : todo.notes) write_note(desk, note);
  for (const auto& [at, polls] : todo.debts) {
    if (at == &desk) {
      write_debts(desk, polls);
    } else {
      at->loop.post([this, at = at, polls = polls] { write_debts(*at, polls); });
    }
  }
  for (const auto& poll : todo.reads) read(desk, poll);
}

}  // namespace letterbox
