// SPDX-License-Identifier: MIT
//
// What the waiting room asks the store for, by whose turn it is, what it makes of the answers, and
// what it tells the store, so that a message is kept for who is to get it.
#include <algorithm>
#include <utility>

#include "base/random.h"
#include "waiting/room.h"

namespace letterbox {

namespace {

// How long a poll that has only just come waits its turn, at most. It may be parked for 50 s in all
// and must be answered within the minute that nginx waits.
constexpr uint64_t kTurnMs = 20'000;
// If the store was away: a read for a parked poll, and an adoption, which then waits ever longer.
constexpr uint64_t kAgainMs = 300;
constexpr uint64_t kAdoptAgainMostMs = 10'000;

// A client's line is written so much after it first came back with something to be written; with
// those of others, so that the room need not wake for each.
constexpr uint64_t kDebtMs = 1000;
constexpr uint64_t kDebtsTogetherMs = 10;
constexpr uint64_t debt_due_ms(uint64_t since_ms) {
  return (since_ms + kDebtMs + kDebtsTogetherMs - 1) / kDebtsTogetherMs * kDebtsTogetherMs;
}

size_t bytes_of(const Reading& reading) {
  size_t bytes = 0;
  for (const auto& message : reading.messages) bytes += message.body.size();
  return bytes;
}

}  // namespace

// --- whose turn it is ----------------------------------------------------------------------------

// Has a poll read for when it is its turn. One that was parked waits for that as long as it would
// have been parked.
void Room::read(Desk& desk, const PollPtr& poll) {
  Effects todo;
  {
    Lock lock(mutex_);
    if (poll->state() != Poll::State::reading) return;
    if (!poll->was_parked && turns_.waiting() >= limits_.parked) {
      turn_away(poll, too_many_reads(), todo);
    } else {
      const uint64_t until = clock_.steady_ms() + kTurnMs;
      move(poll, Poll::State::queued, poll->was_parked ? poll->deadline_ms : until);
    }
  }
  carry_out(desk, todo);
  take_turns(desk);
}

// A store may answer before it returns, and then this is called from within itself.
void Room::take_turns(Desk& desk) {
  if (std::exchange(desk.reading, true)) return;
  bool wake = false;
  while (true) {
    PollPtr poll;
    ReadRequest request;
    {
      Lock lock(mutex_);
      poll = turns_.next(desk);
      if (poll) {
        move(poll, Poll::State::reading);
        request = request_for(*poll);
      } else {
        wake = sooner();
      }
    }
    if (!poll) break;
    ask(desk, poll, request);
  }
  desk.reading = false;
  if (wake) wake_();
}

ReadRequest Room::request_for(Poll& poll) {
  const Instant now(clock_);
  const Question& asked = poll.question;
  ReadRequest request;
  request.user = asked.user;
  request.client = asked.client;
  request.limit = asked.limit;
  if (asked.by_cursor) request.after = poll.cursor;
  request.foreign = asked.foreign && !poll.reset;
  if (asked.stream) request.acknowledged = Cursor{};
  if (poll.may_park) request.park_until = now.wall(poll.deadline_ms);
  if (Mailbox* mailbox = find(asked.user)) {
    // What a stream was given meanwhile its client may not have yet.
    const Client* client = asked.stream ? mailbox->find(poll) : nullptr;
    if (client != nullptr && client->by_cursor) request.acknowledged = client->cursor;
    poll.rings_seen = mailbox->rings();
    request.watch_until = mailbox->note_watch(now);
    poll.watches = request.watch_until > 0;
  }
  return request;
}

void Room::ask(Desk& desk, const PollPtr& poll, const ReadRequest& request) {
  desk.store.read(request, [this, &desk, poll](const Or<Reading>& result) {
    {
      Lock lock(mutex_);
      turns_.returned(desk, *poll, result ? bytes_of(*result) : 0);
    }
    if (!result) {
      read_failed(desk, poll, result.error());
    } else if (result->raw && result->messages.empty()) {
      adopt_then_read(desk, poll);
    } else {
      read_done(desk, poll, *result);
    }
    take_turns(desk);
  });
}

// --- what a read says ----------------------------------------------------------------------------

void Room::read_done(Desk& desk, const PollPtr& poll, const Reading& reading) {
  Effects todo;
  bool wake = false;
  {
    Lock lock(mutex_);
    Mailbox* mailbox = find(poll->question.user);
    const bool undisturbed = mailbox != nullptr && mailbox->was_read(*poll, reading.newest);
    if (Client* client = find(poll)) {
      schedule_.remove(client->due);
      const uint64_t parked_until = poll->may_park ? Instant(clock_).wall(poll->deadline_ms) : 0;
      // (What a stream is given it has not acknowledged, and it is parked all the same.)
      const size_t given = poll->question.stream ? 0 : reading.messages.size();
      mailbox->line_written(*client, given, parked_until);
    }
    if (poll->state() != Poll::State::ended) {
      go_on(poll, undisturbed ? mailbox : nullptr, reading, todo);
      wake = sooner();
    }
  }
  carry_out(desk, todo);
  if (wake) wake_();
}

// After a read: ends the poll, parks it, or has it read for once more. `undisturbed` is its mailbox
// if nothing rang meanwhile.
void Room::go_on(const PollPtr& poll, Mailbox* undisturbed, const Reading& reading, Effects& todo) {
  poll->missed += reading.missed;
  poll->reset = poll->reset || reading.reset;
  if (poll->question.stream) return stream_on(poll, undisturbed, reading, todo);
  poll->cursor = reading.cursor;
  if (!reading.messages.empty()) {
    end(poll, {.reason = Reason::messages, .given = {.messages = reading.messages}}, todo);
  } else if (poll->superseded) {
    end(poll, {.reason = Reason::superseded}, todo);
  } else if (closing_) {
    end(poll, {.reason = Reason::shutdown}, todo);
  } else if (clock_.steady_ms() >= poll->deadline_ms) {
    end(poll, {.reason = out_of_time(*poll)}, todo);
  } else if (undisturbed == nullptr || reading.cursor < reading.newest) {
    // (The read was cut at its limit, and everything in it had expired.)
    read_again(poll, todo);
  } else if (!poll->may_park) {
    turn_away(poll, overloaded("as many polls are waiting as this server takes on"), todo);
  } else {
    park(*undisturbed, poll, todo);
  }
}

// A poll that was parked stays: Redis will be back, and then it is read for again. One that has
// only just come is told.
void Room::read_failed(Desk& desk, const PollPtr& poll, const Error& error) {
  Effects todo;
  bool again = false;
  bool wake = false;
  {
    Lock lock(mutex_);
    if (poll->state() == Poll::State::ended) return;
    Mailbox* mailbox = find(poll->question.user);
    const bool for_good = error.code != Code::store_unavailable;
    const bool stays = (poll->was_parked || poll->outbox.opened) && !poll->superseded &&
                       !closing_ && mailbox != nullptr;
    again = !for_good && stays && clock_.steady_ms() < poll->deadline_ms;
    if (for_good) {
      turn_away(poll, error, todo);
    } else if (!stays) {
      refuse(poll, error, todo);
    } else if (!again) {
      end(poll, {.reason = out_of_time(*poll)}, todo);
    } else {
      mailbox->doubt();
      park(*mailbox, poll, todo);
    }
    wake = sooner();
  }
  carry_out(desk, todo);
  if (wake) wake_();
  if (!again) return;
  desk.loop.at(clock_.steady_ms() + kAgainMs + random_below(kAgainMs), [this, &desk, poll] {
    {
      Lock lock(mutex_);
      if (poll->state() != Poll::State::parked) return;
      move(poll, Poll::State::reading);
    }
    read(desk, poll);
  });
}

// --- what was put in by hand ---------------------------------------------------------------------

void Room::found(Desk& desk, std::string_view user, std::string_view element) {
  const Ring ring = parse_ring(element);
  if (ring.kind == Ring::Kind::raw) {
    adopt(desk, std::string(user), std::string(element), kAgainMs);
  } else {
    rung(desk, user, ring);
  }
}

// The element is in nobody's hands but ours: it is not given up, but tried ever more seldom, since
// its mailbox may be broken for good.
void Room::adopt(Desk& desk, const std::string& user, const std::string& raw, uint64_t again_ms) {
  desk.store.adopt(user, raw, [this, &desk, user, raw, again_ms](const Or<Pushed>& pushed) {
    if (pushed) return;
    desk.loop.at(clock_.steady_ms() + again_ms, [this, &desk, user, raw, again_ms] {
      adopt(desk, user, raw, std::min(2 * again_ms, kAdoptAgainMostMs));
    });
  });
}

void Room::adopt_then_read(Desk& desk, const PollPtr& poll) {
  desk.store.adopt_all(poll->question.user, [this, &desk, poll](const Or<bool>& adopted) {
    if (!adopted) {
      read_failed(desk, poll, adopted.error());
      return;
    }
    read(desk, poll);
  });
}

// --- what the store is told ----------------------------------------------------------------------

// A client has come back, is up to date, and parks. Its cursor will come with its next poll too, so
// its line, by which the store knows what may go, is written when that saves something.
void Room::note_return(Client& client, Effects& todo) {
  const Instant now(clock_);
  if (client.mailbox.must_be_noted(client, now)) {
    acknowledge(client, now, todo);
  } else if (!client.in_debt()) {
    client.begin_debt(now.steady_ms);
    schedule_.add(client.due, debt_due_ms(now.steady_ms), Schedule::Kind::debt, client);
  }
}

void Room::write_debts(Desk& desk, const std::vector<PollPtr>& polls) {
  Effects todo;
  {
    Lock lock(mutex_);
    const Instant now(clock_);
    for (const PollPtr& poll : polls) {
      if (poll->state() != Poll::State::parked) continue;
      Client* client = find(poll);
      if (client == nullptr || !client->in_debt()) continue;
      acknowledge(*client, now, todo);
    }
  }
  carry_out(desk, todo);
}

void Room::write_note(Desk& desk, const Note& note, Store::Then<bool> then) {
  if (note.only_acknowledges) return write_acknowledgement(desk, note);
  ReadRequest request;
  request.user = note.user;
  request.client = note.client;
  request.after = note.after;
  request.watch_until = note.watch_until;
  request.park_until = note.park_until;
  desk.store.read(request, [this, &desk, note, then = std::move(then)](const Or<Reading>& noted) {
    bool taken_back = false;
    {
      Lock lock(mutex_);
      const Mailbox* mailbox = find(note.user);
      taken_back = mailbox != nullptr && mailbox->is_taken_back_by(note, Instant(clock_));
    }
    if (!noted || taken_back) missed_rings(desk, {note.user});
    if (then) then(noted ? Or<bool>(true) : noted.error());
  });
}

void Room::write_acknowledgement(Desk& desk, const Note& note) {
  desk.store.acknowledge(note.user, note.client, *note.after, note.park_until,
                         [this, &desk, user = note.user](const Or<bool>& there) {
                           // (False: somebody has emptied the store.)
                           if (!there || !*there) missed_rings(desk, {user});
                         });
}

}  // namespace letterbox
