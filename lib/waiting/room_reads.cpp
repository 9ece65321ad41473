// SPDX-License-Identifier: MIT
//
// What the waiting room asks the store, and in which order; what it does with the answers; and what
// it tells the store, so that a message is kept for the clients that still need it.
#include <algorithm>
#include <cassert>
#include <utility>

#include "base/limits.h"
#include "base/random.h"
#include "base/rare.h"
#include "waiting/room.h"

namespace letterbox {

namespace {

// If the store was away: a read for a parked poll, and an adoption, which then waits ever longer.
constexpr uint64_t kAgainMs = 300;
constexpr uint64_t kAdoptAgainMostMs = 10'000;

// A client's line is written so much after it first came back with something to be written; with
// those of others, so that the room need not wake for each.
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

// --- the order of reads --------------------------------------------------------------------------

// Has a poll read when it is its turn. A poll that was parked waits for its turn until its
// deadline, a new one for kTurnMs at most.
void Room::read(Desk& desk, const PollPtr& poll) {
  Effects todo;
  {
    Lock lock(mutex_);
    if (poll->state() != Poll::State::reading) return;
    if (!poll->was_parked && turns_.waiting() >= limits_.parked) {
      rare<"more polls wait to read than may">();
      turn_away(poll, too_many_reads(), todo);
    } else {
      const uint64_t until = clock_.steady_ms() + kReadTurnMs;
      move(poll, Poll::State::queued, poll->was_parked ? poll->deadline_ms : until);
    }
  }
  carry_out(desk, todo);
  take_turns(desk);
}

// A store may answer before its call returns. Then this function is called from within itself.
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
  assert(poll.state() == Poll::State::reading);
  const Instant now(clock_);
  const Question& asked = poll.question;
  ReadRequest request;
  request.user = asked.user;
  request.client = asked.client;
  request.limit = asked.limit;
  if (asked.by_cursor) request.after = poll.cursor;
  request.foreign = asked.foreign && !poll.reset;
  request.stream = asked.stream;
  // What the client is known to have: neither what its stream was given since, nor what its poll
  // has passed over. A client that asks again with its own cursor must be told of that once more.
  const bool ahead = asked.by_cursor && poll.cursor != asked.after;
  if (asked.stream || ahead) request.acknowledged = Cursor{};
  if (poll.may_park) request.park_until = now.wall(poll.deadline_ms);
  if (Mailbox* mailbox = find(asked.user)) {
    const Client* client = request.acknowledged ? mailbox->find(poll) : nullptr;
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
    // (While a client has this poll its mailbox stays. Else it may be a new one, which counts its
    // rings from 0 again, and of which this read says nothing.)
    Client* client = find(poll);
    Mailbox* mailbox = client != nullptr ? &client->mailbox : nullptr;
    const bool undisturbed = mailbox != nullptr && mailbox->was_read(*poll, reading.newest);
    if (client != nullptr) {
      schedule_.remove(client->due);
      const uint64_t parked_until = poll->may_park ? Instant(clock_).wall(poll->deadline_ms) : 0;
      // (A stream's client has not acknowledged what the stream is given, and the stream is parked
      // anyway.)
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

// After a read: ends the poll, parks it, or has it read once more. `undisturbed` is its mailbox if
// nothing rang during the read, else null.
void Room::go_on(const PollPtr& poll, Mailbox* undisturbed, const Reading& reading, Effects& todo) {
  poll->missed += reading.missed;
  poll->collapsed += reading.collapsed;
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
    // (The mailbox rang meanwhile; or the read was cut at its limit, and no message was left of
    // what it found.)
    read_again(poll, todo);
  } else if (!poll->may_park) {
    turn_away(poll, overloaded("as many polls are waiting as this server takes on"), todo);
  } else {
    park(*undisturbed, poll, todo);
  }
}

// A poll that was parked stays, as does a stream that is open, and tries to read again until Redis
// is back. A new poll is refused.
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
      rare<"the read of a parked poll fails">();
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

// --- elements that were pushed by hand -----------------------------------------------------------

void Room::found(Desk& desk, std::string_view user, std::string_view element) {
  const Ring ring = parse_ring(element);
  if (ring.kind == Ring::Kind::raw) {
    adopt(desk, std::string(user), std::string(element), kAgainMs);
  } else {
    rung(desk, user, ring);
  }
}

// The element is nowhere but in this program, so it is tried until it is adopted. The wait doubles
// each time, since the mailbox may be broken for good.
void Room::adopt(Desk& desk, const std::string& user, const std::string& raw, uint64_t again_ms) {
  desk.store.adopt(user, raw, [this, &desk, user, raw, again_ms](const Or<Pushed>& pushed) {
    if (pushed) return;
    rare<"a raw element can't be adopted now">();
    desk.loop.at(clock_.steady_ms() + again_ms, [this, &desk, user, raw, again_ms] {
      adopt(desk, user, raw, std::min(2 * again_ms, kAdoptAgainMostMs));
    });
  });
}

void Room::adopt_then_read(Desk& desk, const PollPtr& poll) {
  rare<"raw elements are adopted before a poll reads">();
  desk.store.adopt_all(poll->question.user, [this, &desk, poll](const Or<bool>& adopted) {
    if (!adopted) {
      read_failed(desk, poll, adopted.error());
      return;
    }
    read(desk, poll);
  });
}

// --- what the store is told ----------------------------------------------------------------------

// A client has come back, is up to date, and parks. By the clients' lines the store knows which
// messages it may drop. The client's next poll brings its cursor again, so its line is written only
// when that saves something.
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
    if (taken_back) rare<"a note has taken back what was noted since">();
    if (!noted || taken_back) missed_rings(desk, {note.user});
    if (then) then(noted ? Or<bool>(true) : noted.error());
  });
}

void Room::write_acknowledgement(Desk& desk, const Note& note) {
  assert(note.only_acknowledges && note.after);
  desk.store.acknowledge(note.user, note.client, *note.after, note.park_until,
                         [this, &desk, user = note.user](const Or<bool>& there) {
                           // (False: the store does not know the client any more.)
                           if (!there || !*there) missed_rings(desk, {user});
                         });
}

}  // namespace letterbox
