// SPDX-License-Identifier: MIT
#include "waiting/mailbox.h"

#include <algorithm>
#include <cassert>

namespace letterbox {

namespace {

// A client that comes back within this time for what it has just been given is in a loop, or has
// lost an answer: as often as this it is believed, then it is held back, ever longer.
constexpr uint64_t kLoopMs = 1000;
constexpr unsigned kRepeatsBelieved = 3;
constexpr uint64_t kHoldFirstMs = 125;
constexpr uint64_t kHoldMostMs = 1000;

// Notes of who watches until when run out this much later than the watching does.
constexpr uint64_t kNoteMarginMs = 1000;
// And so much later while a poll waits: so that its successors need not renew them each time.
constexpr uint64_t kNoteAheadMs = 60'000;
// A client's line is written at once if it lacks as many messages, or bytes of them.
constexpr size_t kDebtMessages = 8;
constexpr size_t kDebtBytes = 1024;
// It must not seem to be gone before its line is written, which may take as long.
constexpr uint64_t kParkedMarginMs = 2000;

bool is_parked(const Client& client) {
  return client.poll && client.poll->state() == Poll::State::parked;
}

}  // namespace

// --- a client ------------------------------------------------------------------------------------

uint64_t Client::hold_ms(const Question& asked, uint64_t now_ms) {
  const bool same = asked.by_cursor && asked.after == cursor && asked.foreign == !by_cursor;
  if (!same) given_ms_.reset();
  const bool soon = same && given_ms_ && now_ms < *given_ms_ + kLoopMs;
  const bool under_way = same && poll && !is_parked(*this);
  repeats_ = soon || under_way ? repeats_ + 1 : 0;
  if (repeats_ <= kRepeatsBelieved) return 0;
  const unsigned doublings = std::min(repeats_ - kRepeatsBelieved - 1, 3U);
  return std::min(kHoldFirstMs << doublings, kHoldMostMs);
}

void Client::leaves(bool given, uint64_t now_ms) {
  poll.reset();
  since_ms = now_ms;
  if (given) given_ms_ = now_ms;
}

// What a client has acknowledged is dropped with its mailbox's next push or note: after many bytes
// that is not left for later.
void Client::given(size_t bytes) {
  ++debt_.messages;
  debt_.bytes += bytes;
  written_ = written_ && bytes <= kDebtBytes;
}

// --- who polls it --------------------------------------------------------------------------------

Client* Mailbox::find(std::string_view client) {
  const auto found = std::find_if(clients_.begin(), clients_.end(),
                                  [&](const Client& c) { return c.name == client; });
  return found != clients_.end() ? &*found : nullptr;
}

Client* Mailbox::find(const Poll& poll) {
  const auto found = std::find_if(clients_.begin(), clients_.end(),
                                  [&](const Client& c) { return c.poll.get() == &poll; });
  return found != clients_.end() ? &*found : nullptr;
}

Client* Mailbox::longest_away() {
  Client* longest = nullptr;
  for (Client& client : clients_) {
    const bool longer = longest == nullptr || client.since_ms < longest->since_ms;
    if (!client.poll && longer) longest = &client;
  }
  return longest;
}

bool Mailbox::anybody_waits() const {
  return std::any_of(clients_.begin(), clients_.end(),
                     [](const Client& client) { return client.poll != nullptr; });
}

// --- what is known of its messages ---------------------------------------------------------------

void Mailbox::rang(const Ring& ring) {
  ++rings_;
  // (A message that was lost may be later than this one: only who reads or looks knows what is the
  // newest.)
  current_ = current_ && ring.kind == Ring::Kind::message;
  if (current_) newest_ = std::max(newest_, ring.id);
}

void Mailbox::missed_rings() {
  ++rings_;
  current_ = false;
  watch_noted_ = 0;
}

bool Mailbox::was_read(const Poll& poll, const Cursor& newest) {
  if (poll.rings_seen != rings_) return false;
  if (poll.watches) {
    current_ = true;
    newest_ = newest;
  }
  return true;
}

Mailbox::Sight Mailbox::was_seen(Client& client, const Glimpse& seen, const Instant& now) {
  const Cursor& at = client.poll->cursor;
  // If the store keeps its cursor, that must be the one which its poll waits with.
  const bool kept_right = client.by_cursor || (seen.noted && seen.cursor == at);
  if (seen.newest != at || !kept_right || seen.raw) return Sight::news;
  watch_noted_ = seen.watch_until;
  // What was pushed while nobody was noted as watching rang nowhere, or will not.
  if (seen.watch_until <= now.wall_ms + kNoteMarginMs) return Sight::news;

  const bool watch_noted = watch_until(now) <= seen.watch_until + kNoteAheadMs;
  const bool parked = seen.park_until + kNoteMarginMs >= now.wall(client.poll->deadline_ms);
  const bool noted = seen.noted && watch_noted && parked;
  // Only a read can write the line of a client whose cursor the store keeps.
  if (!noted && !client.by_cursor) return Sight::news;
  if (!noted) client.written_ = seen.noted;
  current_ = true;
  newest_ = seen.newest;
  return noted ? Sight::nothing_new : Sight::note_lost;
}

// --- what the store is told ----------------------------------------------------------------------

uint64_t Mailbox::watch_until(const Instant& now) const {
  if (closed_) return 0;
  uint64_t until = 0;
  for (const Client& client : clients_) {
    if (!client.poll) {
      until = std::max(until, client.since_ms);
    } else if (client.poll->may_park) {
      until = std::max(until, client.poll->deadline_ms + kNoteAheadMs);
    }
  }
  return until == 0 ? 0 : now.wall(until + kWarmMs + kNoteMarginMs);
}

bool Mailbox::must_be_noted(const Client& client, const Instant& now) const {
  const Client::Debt& debt = client.debt_;
  const bool overdue = client.in_debt() && !client.due;
  const bool much = debt.messages >= kDebtMessages || debt.bytes >= kDebtBytes;
  const bool parked = debt.parked_until > now.wall_ms + kParkedMarginMs;
  const bool watch_noted = watch_until(now) <= watch_noted_ + kNoteAheadMs;
  return !client.written_ || overdue || much || !parked || !watch_noted;
}

Note Mailbox::note_of(Client& client, const Instant& now) {
  Note note;
  note.user = user_;
  note.client = client.name;
  if (client.by_cursor) note.after = client.cursor;
  note.watch_until = watch_until(now);
  if (is_parked(client)) note.park_until = now.wall(client.poll->deadline_ms);
  line_written(client, 0, note.park_until);
  return note;
}

Note Mailbox::acknowledgement_of(Client& client, const Instant& now) {
  const bool written = client.written_;
  Note note = note_of(client, now);
  note.only_acknowledges = written && note.watch_until <= watch_noted_ + kNoteAheadMs;
  if (!note.only_acknowledges) watch_noted_ = note.watch_until;
  return note;
}

Note Mailbox::lapse(Client& client, const Instant& now) {
  Note note = note_of(client, now);
  watch_noted_ = note.watch_until;
  // It is watched for no longer than that, from some moment on: who comes next reads.
  current_ = current_ && anybody_waits();
  return note;
}

void Mailbox::line_written(Client& client, size_t found, uint64_t parked_until) {
  assert(!client.due);
  client.debt_ = {};
  client.debt_.parked_until = parked_until;
  client.written_ = found == 0;
}

bool Mailbox::is_taken_back_by(const Note& note, const Instant& now) const {
  if (note.park_until > 0) return false;
  if (note.watch_until + kNoteAheadMs < watch_until(now)) return true;
  return std::any_of(clients_.begin(), clients_.end(), [&](const Client& client) {
    return client.poll && client.name == note.client;
  });
}

}  // namespace letterbox
