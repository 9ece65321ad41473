// SPDX-License-Identifier: MIT
//
// What of a wait is written down in the store, so that a message is kept for who is to get it.
#include <algorithm>
#include <utility>

#include "waiting/room.h"
#include "waiting/room_parts.h"

namespace letterbox {

namespace {

// Notes of who watches until when run out this much later than the watching does.
constexpr uint64_t kNoteMarginMs = 1000;
// And so much later while a poll waits: so that its successors need not renew them each time.
constexpr uint64_t kNoteAheadMs = 60'000;
// A client's line is written at once if it lacks as many messages, or bytes of them.
constexpr size_t kDebtMessages = 8;
constexpr size_t kDebtBytes = 1024;

}  // namespace

void Room::acknowledge(Desk& desk, const Note& note) {
  desk.store.acknowledge(note.user, note.client, *note.after, note.park_until,
                         [this, &desk, user = note.user](const Or<bool>& there) {
                           // (False: somebody has emptied the store.)
                           if (!there || !*there) missed_rings(desk, {user});
                         });
}

void Room::write_down(Desk& desk, const Note& note, Store::Then<Reading> then) {
  ReadRequest request;
  request.user = note.user;
  request.client = note.client;
  request.after = note.after;
  request.watch_until = note.watch_until;
  request.park_until = note.park_until;
  desk.store.read(request, std::move(then));
}

void Room::write_note(Desk& desk, const Note& note) {
  if (note.only_acknowledges) return acknowledge(desk, note);
  write_down(desk, note, [this, &desk, note](const Or<Reading>& noted) {
    if (!noted || takes_back(note)) missed_rings(desk, {note.user});
  });
}

// Whether a note that a client is not waiting has, or may have, taken back what was noted since: by
// another connection, which was quicker, the client came back, or another one that needs the watch.
bool Room::takes_back(const Note& note) const {
  if (note.park_until > 0) return false;
  Lock lock(mutex_);
  const Mailbox* mailbox = known(note.user);
  if (mailbox == nullptr || !anybody_waits(*mailbox)) return false;
  const bool short_watch = note.watch_until + kNoteAheadMs < watch_until(*mailbox);
  return short_watch ||
         std::any_of(mailbox->clients.begin(), mailbox->clients.end(), [&](const Client& client) {
           return client.poll && client.name == note.client;
         });
}

// A client has come back, is up to date, and parks. Its cursor will come with its next poll too, so
// its line, by which the store knows what may go, is written when that saves something.
void Room::note_return(Client& client, Answers& todo) {
  Debt& debt = client.debt;
  if (must_be_noted(client)) {
    todo.notes.push_back(acknowledgement_of(client));
  } else if (!debt.since_ms) {
    debt.since_ms = clock_.steady_ms();
    debt.place = indebted_.insert(indebted_.end(), &client);
  }
}

bool Room::must_be_noted(const Client& client) const {
  const Debt& debt = client.debt;
  const Mailbox& mailbox = *client.mailbox;
  const bool overdue = debt.since_ms && !debt.place;
  const bool much = debt.messages >= kDebtMessages || debt.bytes >= kDebtBytes;
  // It must not seem to be gone before its line is written.
  const bool parked = debt.parked_until > clock_.wall_ms() + 2 * kDebtMs;
  const bool watched = watch_until(mailbox) <= mailbox.watch_noted + kNoteAheadMs;
  return !client.written || overdue || much || !parked || !watched;
}

// (One between two polls is noted as it comes back, or lapses.)
void Room::write_due_debts(uint64_t now_ms, Answers& todo) {
  while (!indebted_.empty() && debt_due_ms(*indebted_.front()->debt.since_ms) <= now_ms) {
    Client& client = *indebted_.front();
    indebted_.pop_front();
    client.debt.place.reset();
    const bool waits = client.poll && client.poll->state == Poll::State::parked;
    if (waits) todo.debts[&client.poll->desk].push_back(client.poll);
  }
}

void Room::write_debts(Desk& desk, const std::vector<PollPtr>& polls) {
  Answers todo;
  {
    Lock lock(mutex_);
    for (const PollPtr& poll : polls) {
      if (poll->state != Poll::State::parked) continue;
      Client* client = current_client(poll);
      if (client != nullptr && client->debt.since_ms)
        todo.notes.push_back(acknowledgement_of(*client));
    }
  }
  carry_out(desk, todo);
}

// The store has, or is about to get, all that is to be written of a client.
void Room::settle(Client& client, uint64_t parked_until) {
  if (client.debt.place) indebted_.erase(*client.debt.place);
  client.debt = {};
  client.debt.parked_until = parked_until;
}

// For a client that is parked and up to date: the least that must be written.
Room::Note Room::acknowledgement_of(Client& client) {
  const bool written = client.written;
  Note note = note_of(client);
  Mailbox& mailbox = *client.mailbox;
  note.only_acknowledges = written && note.watch_until <= mailbox.watch_noted + kNoteAheadMs;
  if (!note.only_acknowledges) mailbox.watch_noted = note.watch_until;
  return note;
}

// Redis may have lost notes. What a light look has not found is written down again; false if only a
// read can do that, since Redis keeps the client's cursor.
bool Room::put_notes_right(Client& client, const Glimpse& seen, Answers& todo) {
  Mailbox& mailbox = *client.mailbox;
  mailbox.watch_noted = seen.watch_until;
  // What was pushed while nobody was noted as watching rang nowhere, or will not.
  if (seen.watch_until <= clock_.wall_ms() + kNoteMarginMs) return false;
  const bool watched = watch_until(mailbox) <= seen.watch_until + kNoteAheadMs;
  const bool parked = seen.park_until + kNoteMarginMs >= wall(client.poll->deadline_ms);
  if (seen.noted && watched && parked) return true;
  if (!client.by_cursor) return false;
  client.written = seen.noted;
  todo.notes.push_back(acknowledgement_of(client));
  return true;
}

Room::Note Room::note_of(Client& client) {
  Note note;
  note.user = client.mailbox->user;
  note.client = client.name;
  if (client.by_cursor) note.after = client.cursor;
  note.watch_until = watch_until(*client.mailbox);
  if (client.poll && client.poll->state == Poll::State::parked) {
    note.park_until = wall(client.poll->deadline_ms);
  }
  settle(client, note.park_until);
  client.written = true;
  return note;
}

// Until when this program will be listening for a mailbox, as far as can be said now. Wall clock.
uint64_t Room::watch_until(const Mailbox& mailbox) const {
  if (closing_) return 0;
  uint64_t until = 0;
  for (const Client& client : mailbox.clients) {
    if (!client.poll) {
      until = std::max(until, client.since_ms);
    } else if (client.poll->has_place) {
      until = std::max(until, client.poll->deadline_ms + kNoteAheadMs);
    }
  }
  return until == 0 ? 0 : wall(until + kWarmMs + kNoteMarginMs);
}

uint64_t Room::wall(uint64_t steady_ms) const {
  return clock_.wall_ms() + steady_ms - clock_.steady_ms();
}

}  // namespace letterbox
