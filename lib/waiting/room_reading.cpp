// SPDX-License-Identifier: MIT
//
// What Redis says of a mailbox, read or rung: answers its polls, or parks them.
#include <algorithm>
#include <cassert>
#include <utility>

#include "base/random.h"
#include "waiting/room.h"
#include "waiting/room_parts.h"

namespace letterbox {

namespace {

// What a client has acknowledged is dropped with its mailbox's next push or note. One that got more
// bytes than this is noted at once.
constexpr size_t kDropAtOnceBytes = 1024;
constexpr uint64_t kRereadMs = 300;
constexpr uint64_t kAdoptAgainMostMs = 10'000;

}  // namespace

void Room::adopt_then_read(Desk& desk, const PollPtr& poll) {
  desk.store.adopt_all(poll->question.user, [this, &desk, poll](const Or<bool>& adopted) {
    if (!adopted) {
      read_failed(desk, poll, adopted.error());
      return;
    }
    read(desk, poll);
  });
}

void Room::read_done(Desk& desk, const PollPtr& poll, const Reading& reading) {
  Answers todo;
  bool wake = false;
  {
    Lock lock(mutex_);
    Mailbox* mailbox = known(poll->question.user);
    const bool undisturbed = mailbox != nullptr && mailbox->rings == poll->rings_seen;
    if (undisturbed && poll->watches) {
      mailbox->current = true;
      mailbox->known = reading.newest;
    }
    if (Client* client = current_client(poll)) {
      client->written = reading.count == 0;
      settle(*client, poll->has_place ? wall(poll->deadline_ms) : 0);
    }
    if (poll->state != Poll::State::ended) {
      go_on(poll, undisturbed ? mailbox : nullptr, reading, todo);
      wake = sooner();
    }
  }
  carry_out(desk, todo);
  if (wake) wake_();
}

// After a read: ends the poll, parks it, or reads once more. `undisturbed` is its mailbox where no
// ring came in between.
void Room::go_on(const PollPtr& poll, Mailbox* undisturbed, const Reading& reading, Answers& todo) {
  poll->missed += reading.missed;
  poll->reset = poll->reset || reading.reset;
  poll->cursor = reading.cursor;
  if (reading.count > 0) {
    end(poll, {Reason::messages, reading.count, reading.messages}, todo);
  } else if (poll->superseded) {
    end(poll, {.reason = Reason::superseded}, todo);
  } else if (closing_) {
    end(poll, {.reason = Reason::shutdown}, todo);
  } else if (clock_.steady_ms() >= poll->deadline_ms) {
    end(poll, {.reason = out_of_time(*poll)}, todo);
  } else if (undisturbed == nullptr || reading.cursor < reading.newest) {
    // (It stopped short where all that it had room for has expired.)
    read_again(poll);
    todo.reads.push_back(poll);
  } else if (!poll->has_place) {
    turn_away(poll, overloaded("as many polls are waiting as this server takes on"), todo);
  } else {
    park(*undisturbed, poll);
  }
}

// A poll that was parked stays: Redis will be back, and then it is read again. One that has only
// just come is told.
void Room::read_failed(Desk& desk, const PollPtr& poll, const Error& error) {
  Answers todo;
  bool again = false;
  bool refuse = false;
  bool wake = false;
  {
    Lock lock(mutex_);
    if (poll->state == Poll::State::ended) return;
    Mailbox* mailbox = known(poll->question.user);
    const bool for_good = error.code != Code::store_unavailable;
    refuse = !for_good && (!poll->was_parked || poll->superseded || closing_ || mailbox == nullptr);
    again = !for_good && !refuse && clock_.steady_ms() < poll->deadline_ms;
    if (for_good) {
      turn_away(poll, error, todo);
    } else if (refuse) {
      finish(poll, Reason::error);
    } else if (!again) {
      end(poll, {.reason = out_of_time(*poll)}, todo);
    } else {
      mailbox->current = false;
      park(*mailbox, poll);
    }
    wake = sooner();
  }
  if (refuse) poll->caller->refuse(error);
  carry_out(desk, todo);
  if (wake) wake_();
  if (!again) return;
  desk.loop.at(clock_.steady_ms() + kRereadMs + random_below(kRereadMs), [this, &desk, poll] {
    {
      Lock lock(mutex_);
      if (poll->state != Poll::State::parked) return;
      read_again(poll);
    }
    read(desk, poll);
  });
}

void Room::read_again(const PollPtr& poll) {
  unpark(poll);
  poll->state = Poll::State::reading;
}

// --- ringing -------------------------------------------------------------------------------------

void Room::found(Desk& desk, std::string_view user, std::string_view element) {
  const Ring ring = parse_ring(element);
  if (ring.kind == Ring::Kind::raw) {
    adopt(desk, std::string(user), std::string(element), kRereadMs);
  } else {
    rung(desk, user, ring);
  }
}

void Room::rung(Desk& desk, std::string_view user, const Ring& ring) {
  assert(ring.kind != Ring::Kind::raw);
  Answers todo;
  bool wake = false;
  {
    Lock lock(mutex_);
    // Nobody waits here any more: the message stands in the list, for whoever comes.
    Mailbox* mailbox = known(user);
    if (mailbox == nullptr) return;
    ++mailbox->rings;
    // (One that was lost may be later than this: only who reads or looks knows what is the newest.)
    mailbox->current = mailbox->current && ring.kind == Ring::Kind::message;
    if (mailbox->current) mailbox->known = std::max(mailbox->known, ring.id);
    for (Client& client : mailbox->clients) ring_client(client, ring, todo);
    wake = sooner();
  }
  carry_out(desk, todo);
  if (wake) wake_();
}

void Room::ring_client(Client& client, const Ring& ring, Answers& todo) {
  const PollPtr poll = client.poll;
  if (!poll || poll->state != Poll::State::parked) return;
  const Cursor at = poll->cursor;
  const bool carried = ring.kind == Ring::Kind::message && poll->question.by_cursor;
  const bool same_epoch = carried && (at.epoch == ring.id.epoch || at == Cursor{});
  const uint64_t expires = ring.element.expires;
  if (same_epoch && ring.id.seq <= at.seq) return;  // it has that one
  if (same_epoch && ring.id.seq == at.seq + 1 && (expires == 0 || expires > clock_.wall_ms())) {
    poll->cursor = ring.id;
    Ending ending{.reason = Reason::messages, .count = 1};
    ending.single = ring.element.body;
    ++client.debt.messages;
    client.debt.bytes += ring.element.body.size();
    client.written = client.written && ring.element.body.size() <= kDropAtOnceBytes;
    end(poll, ending, todo);
    return;
  }
  read_again(poll);
  todo.reads.push_back(poll);
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

}  // namespace letterbox
