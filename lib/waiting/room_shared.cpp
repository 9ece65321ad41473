// SPDX-License-Identifier: MIT
//
// Mailboxes that other programs watch too: whom a bell was for, and what is done where it may have
// been lost.
#include <algorithm>

#include "waiting/room.h"
#include "waiting/room_parts.h"

namespace letterbox {

namespace {

// How soon and for how long a bell that was meant for another program is handed on.
constexpr uint64_t kPassOnFirstMs = 5;
constexpr uint64_t kPassOnMs = 2000;
// How often a poll of a mailbox that other programs watch too looks for itself: one of them may
// have taken its bell, and been killed with it.
constexpr uint64_t kLookMs = 700;
// How much of that time is over already for a bell that only says that this program is here too.
constexpr uint64_t kJoinedMs = kPassOnMs - 200;

}  // namespace

// Each program that watches a mailbox gets a bell, but one that is quick may take two: it hands on
// the one that brought it nothing, ever more slowly, until whoever it was for has had time to take
// it.
void Room::pass_on(Desk& desk, const std::string& user, uint64_t since_ms) {
  const uint64_t now = clock_.wall_ms();
  const uint64_t age = now - std::min(now, since_ms);
  if (age > kPassOnMs) return;
  desk.loop.at(clock_.steady_ms() + std::max(age / 2, kPassOnFirstMs),
               [this, &desk, user, since_ms] { hand_on(desk, user, since_ms); });
}

void Room::hand_on(Desk& desk, const std::string& user, uint64_t since_ms) {
  std::optional<Bells::Place> place;
  {
    Lock lock(mutex_);
    if (const Mailbox* mailbox = known(user)) place = mailbox->watched;
  }
  if (place) {
    bells_.hand_on(*place, user, since_ms);
  } else {
    desk.store.ring(user, since_ms);
  }
}

// A program that finds that it is not alone tells the others by a bell, which is not handed on for
// long.
void Room::tell_others(Desk& desk, const std::string& user) {
  hand_on(desk, user, clock_.wall_ms() - kJoinedMs);
}

// A bell came while no client of the mailbox is asking. Whoever asks next here will read anyway;
// but was it meant for another program? Only Redis knows whether there is one.
void Room::find_out_whose(Desk& desk, const std::string& user, uint64_t since_ms) {
  desk.loop.at(clock_.steady_ms() + kPassOnFirstMs, [this, &desk, user, since_ms] {
    std::optional<Note> note;  // none: nobody here knows the mailbox any more
    {
      Lock lock(mutex_);
      if (Mailbox* mailbox = known(user)) {
        if (mailbox->bell != since_ms || anybody_asks(*mailbox)) return;  // it is being read for
        note = note_of(mailbox->clients.front());
        mailbox->watch_noted = note->watch_until;
      }
    }
    if (!note) return pass_on(desk, user, since_ms);
    write_down(desk, *note, [this, &desk, user, since_ms](const Or<Reading>& noted) {
      if (!noted || noted->shared) return pass_on(desk, user, since_ms);
      Lock lock(mutex_);
      Mailbox* mailbox = known(user);
      if (mailbox != nullptr && mailbox->bell == since_ms) mailbox->bell.reset();
    });
  });
}

void Room::look_later(Desk& desk, const PollPtr& poll) {
  desk.loop.at(clock_.steady_ms() + kLookMs, [this, &desk, poll, reads = poll->reads.load()] {
    {
      Lock lock(mutex_);
      if (poll->state != Poll::State::parked || poll->reads != reads) return;
      read_again(poll);
    }
    read(desk, poll);
  });
}

}  // namespace letterbox
