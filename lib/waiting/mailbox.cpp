// SPDX-License-Identifier: MIT
#include "waiting/mailbox.h"

#include <algorithm>
#include <cassert>

#include "base/limits.h"

namespace letterbox {

namespace {

// A client that asks again within this time for what it was just given is in a loop, or has lost an
// answer. Its first three repeats are answered at once. Each later one is held back, for 125 ms at
// first, then twice as long, up to 1 s.
constexpr uint64_t kLoopMs = 1000;
constexpr unsigned kRepeatsBelieved = 3;
constexpr uint64_t kHoldFirstMs = 125;
constexpr uint64_t kHoldMostMs = 1000;

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
  static_assert(kHoldFirstMs << 3U == kHoldMostMs, "it is held back ever longer, up to a second");
  return std::min(kHoldFirstMs << doublings, kHoldMostMs);
}

void Client::leaves(bool given, uint64_t now_ms) {
  assert(poll);
  poll.reset();
  since_ms = now_ms;
  if (given) given_ms_ = now_ms;
}

// Acknowledged messages are dropped with the mailbox's next push or note. After a message of more
// than kDebtBytes the client's next note is not postponed.
void Client::given(size_t bytes) {
  assert(bytes > 0 && poll);
  ++debt_.messages;
  debt_.bytes += bytes;
  written_ = written_ && bytes <= kDebtBytes;
}

// --- clients -------------------------------------------------------------------------------------

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
  // (A missed message may be later than this one. Only a read or a look knows which message is the
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
  assert(poll.rings_seen <= rings_);
  if (poll.rings_seen != rings_) return false;
  if (poll.watches) {
    current_ = true;
    newest_ = newest;
  }
  return true;
}

Mailbox::Sight Mailbox::was_seen(Client& client, const Glimpse& seen, const Instant& now) {
  assert(&client.mailbox == this && is_parked(client));
  const Cursor& at = client.poll->cursor;
  // If the store keeps this client's cursor, it must be the cursor that the poll waits with.
  const bool kept_right = client.by_cursor || (seen.noted && seen.cursor == at);
  if (seen.newest != at || !kept_right || seen.raw) return Sight::news;
  watch_noted_ = seen.watch_until;
  // A push that finds no valid note of this program does not ring here.
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
  assert(&client.mailbox == this);
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
  assert(!client.poll);
  Note note = note_of(client, now);
  watch_noted_ = note.watch_until;
  // If no poll waits, the watch ends at the noted time, so the next poll must read the mailbox.
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
