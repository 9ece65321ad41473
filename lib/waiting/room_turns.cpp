// SPDX-License-Identifier: MIT
//
// Who is read for, and when.
#include <algorithm>
#include <utility>

#include "base/random.h"
#include "waiting/room.h"
#include "waiting/room_parts.h"

namespace letterbox {

namespace {

// How long a poll that has only just come waits its turn, at most. It may be parked for 50 s in all
// and must be answered within the minute that nginx waits.
constexpr uint64_t kTurnMs = 20'000;

Error too_many_reads() {
  return overloaded("more is to be read for others first than this server takes on");
}

}  // namespace

Error overloaded(std::string message) {
  return {Code::overloaded, std::move(message), static_cast<int>(5000 + random_below(10'000))};
}

// Has a poll read for when it is its turn. One that was parked waits for that as long as it would
// have been parked.
void Room::read(Desk& desk, const PollPtr& poll) {
  Answers todo;
  {
    Lock lock(mutex_);
    if (poll->state != Poll::State::reading) return;
    if (!poll->was_parked && turns_.waiting() >= limits_.parked) {
      turn_away(poll, too_many_reads(), todo);
    } else {
      poll->state = Poll::State::queued;
      turns_.line_up(poll, poll->was_parked ? poll->deadline_ms : clock_.steady_ms() + kTurnMs);
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
      if (poll) request = request_for(*poll);
      if (!poll) wake = sooner();
    }
    if (!poll) break;
    ask(desk, poll, request);
  }
  desk.reading = false;
  if (wake) wake_();
}

ReadRequest Room::request_for(Poll& poll) {
  const Question& asked = poll.question;
  poll.state = Poll::State::reading;
  ++poll.reads;
  ReadRequest request;
  request.user = asked.user;
  request.client = asked.client;
  request.limit = asked.limit;
  if (asked.by_cursor) request.after = poll.cursor;
  request.foreign = asked.foreign && !poll.reset;
  if (poll.has_place) request.park_until = wall(poll.deadline_ms);
  if (Mailbox* mailbox = known(asked.user)) {
    poll.rings_seen = mailbox->rings;
    request.watch_until = mailbox->watch_noted = watch_until(*mailbox);
    poll.watches = request.watch_until > 0;
  }
  return request;
}

void Room::ask(Desk& desk, const PollPtr& poll, const ReadRequest& request) {
  desk.store.read(request, [this, &desk, poll](const Or<Reading>& result) {
    {
      Lock lock(mutex_);
      turns_.returned(desk, *poll, result ? result->messages.size() : 0);
    }
    if (!result) {
      read_failed(desk, poll, result.error());
    } else if (result->raw && result->count == 0) {
      adopt_then_read(desk, poll);
    } else {
      read_done(desk, poll, *result);
    }
    take_turns(desk);
  });
}

void Room::end_overdue(uint64_t now_ms, Answers& todo) {
  while (const PollPtr poll = turns_.overdue(now_ms)) {
    if (closing_) {
      end(poll, {.reason = Reason::shutdown}, todo);
    } else if (poll->was_parked) {
      end(poll, {.reason = out_of_time(*poll)}, todo);
    } else {
      turn_away(poll, too_many_reads(), todo);
    }
  }
}

size_t Room::waiting_reads() const {
  Lock lock(mutex_);
  return turns_.waiting();
}

size_t Room::reads_under_way() const {
  Lock lock(mutex_);
  return turns_.under_way();
}

}  // namespace letterbox
