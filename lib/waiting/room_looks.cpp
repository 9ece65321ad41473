// SPDX-License-Identifier: MIT
//
// After rings that nobody heard: which parked polls have news. After an outage that may be all of
// them, so they are looked at in portions, by one light look each, and only those with news are
// read. A poll stays parked meanwhile, and its mailbox is not current until it was looked at.
#include <cassert>
#include <utility>

#include "base/random.h"
#include "base/rare.h"
#include "waiting/room.h"

namespace letterbox {

namespace {

// How many mailboxes a worker looks at in one portion, and the pause after each portion, in which
// Redis has time for other work.
constexpr size_t kPortion = 200;
constexpr uint64_t kPauseMs = 5;
constexpr uint64_t kLookAgainMs = 300;  // if the store was away

void to_look_at(Desk& desk, Mailbox& mailbox) {
  if (!std::exchange(mailbox.to_look_at, true)) desk.to_look_at.push_back(mailbox.user());
}

}  // namespace

// A parked poll that is being looked at, and its mailbox's rings() when the look began.
struct Room::Look {
  PollPtr poll;
  uint64_t rings_seen = 0;
};

void Room::missed_rings(Desk& desk, const std::vector<std::string>& users) {
  {
    Lock lock(mutex_);
    for (const auto& user : users) {
      Mailbox* mailbox = find(user);
      if (mailbox == nullptr) continue;
      mailbox->missed_rings();
      to_look_at(desk, *mailbox);
    }
  }
  look_on(desk);
}

// One portion is asked for at a time. The reads that it causes take turns with all other reads.
void Room::look_on(Desk& desk) {
  while (!desk.looking && !desk.to_look_at.empty()) {
    bool lists = false;
    auto looks = next_looks(desk, lists);
    if (looks.empty()) continue;  // no poll is parked there any more
    std::vector<Store::Parked> clients;
    clients.reserve(looks.size());
    for (const auto& look : looks) {
      const Question& asked = look.poll->question;
      clients.push_back({asked.user, asked.client});
    }
    desk.looking = true;
    desk.store.peek(clients, lists, [this, &desk, looks = std::move(looks)](const auto& seen) {
      looked(desk, looks, seen);
    });
  }
}

// Sets `lists` if no lane hears the list of one of these mailboxes.
std::vector<Room::Look> Room::next_looks(Desk& desk, bool& lists) {
  std::vector<Look> looks;
  Lock lock(mutex_);
  for (size_t i = 0; i < kPortion && !desk.to_look_at.empty(); ++i) {
    Mailbox* mailbox = find(desk.to_look_at.front());
    desk.to_look_at.pop_front();
    if (mailbox == nullptr) continue;
    mailbox->to_look_at = false;
    for (const Client& client : mailbox->clients()) {
      if (!client.poll || client.poll->state() != Poll::State::parked) continue;
      looks.push_back({client.poll, mailbox->rings()});
      lists = lists || (mailbox->watched && !bells_.hears(*mailbox->watched));
    }
  }
  return looks;
}

void Room::looked(Desk& desk, const std::vector<Look>& looks, const Or<Store::Glimpses>& seen) {
  Effects todo;
  {
    Lock lock(mutex_);
    const Instant now(clock_);
    assert(desk.looking && (!seen || seen->size() == looks.size()));
    for (size_t i = 0; i < looks.size(); ++i) {
      const auto& [poll, rings_seen] = looks[i];
      if (poll->state() != Poll::State::parked) continue;
      assert(find(poll) != nullptr);
      Client& client = *find(poll);
      Mailbox& mailbox = client.mailbox;
      if (!seen) {
        to_look_at(desk, mailbox);
        continue;
      }
      const auto& glimpse = (*seen)[i];
      const bool clear = glimpse && mailbox.rings() == rings_seen;
      switch (clear ? mailbox.was_seen(client, *glimpse, now) : Mailbox::Sight::news) {
        case Mailbox::Sight::nothing_new:
          break;
        case Mailbox::Sight::note_lost:
          rare<"Redis has lost a note of a parked client">();
          acknowledge(client, now, todo);
          break;
        case Mailbox::Sight::news:
          read_again(poll, todo);
          break;
      }
    }
  }
  carry_out(desk, todo);
  const uint64_t pause = seen ? kPauseMs : kLookAgainMs + random_below(kLookAgainMs);
  desk.loop.at(clock_.steady_ms() + pause, [this, &desk] {
    desk.looking = false;
    look_on(desk);
  });
}

}  // namespace letterbox
