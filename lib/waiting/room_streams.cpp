// SPDX-License-Identifier: MIT
//
// What is written to a stream, and when. The client acknowledges by the cursor with which it comes
// back, or by POST /ack. Until then the store keeps what was written.
#include <cassert>
#include <utility>

#include "base/limits.h"
#include "base/rare.h"
#include "waiting/room.h"

namespace letterbox {

void Room::give(const PollPtr& poll, const Portion& portion, Effects& todo) {
  assert(poll->question.stream && poll->state() != Poll::State::ended);
  poll->cursor = portion.cursor;
  Outbox& outbox = poll->outbox;
  outbox.opened = true;
  outbox.messages += portion.messages.size();
  count(portion);
  if (outbox.leave(std::in_place_type<OwnPortion>, portion)) {
    rare<"two workers write to one stream">();
    return;
  }
  outbox.writing = true;
  todo.portions.emplace_back(poll, portion);
}

// Writes a portion, and then what other workers have left in the outbox meanwhile.
void Room::write(Desk& desk, const PollPtr& poll, const Portion& portion) {
  assert(poll->question.stream);
  ReplyTo& to = *poll->reply_to;
  auto taken = to.write(portion);
  Effects todo;
  bool wake = false;
  while (true) {
    std::vector<Outbox::Entry> entries;
    {
      Lock lock(mutex_);
      entries = std::exchange(poll->outbox.entries, {});
      if (entries.empty()) {
        poll->outbox.writing = false;
        wrote(poll, taken, todo);
        wake = sooner();
        break;
      }
    }
    for (const auto& entry : entries) {
      if (const auto* more = std::get_if<OwnPortion>(&entry)) taken = to.write(more->portion());
      if (const auto* ending = std::get_if<Ending>(&entry)) to.answer(*ending);
      if (const auto* error = std::get_if<Error>(&entry)) to.refuse(*error);
    }
  }
  carry_out(desk, todo);
  if (wake) wake_();
}

void Room::wrote(const PollPtr& poll, ReplyTo::Taken taken, Effects& todo) {
  using Taken = ReplyTo::Taken;
  if (poll->state() == Poll::State::sending && taken == Taken::all) return sent(poll, todo);
  if (poll->state() != Poll::State::parked) return;
  if (taken == Taken::too_little) {
    rare<"a stream is slower than what is written to it">();
    end(poll, {.reason = Reason::slow}, todo);
  } else if (poll->outbox.messages >= kStreamMessages) {
    end(poll, {.reason = Reason::timeout}, todo);
  }
}

// The client has taken what its stream was last given from the store, so the stream goes on.
void Room::sent(const PollPtr& poll, Effects& todo) {
  Client* client = find(poll);
  assert(client != nullptr);
  Mailbox& mailbox = client->mailbox;
  if (has_everything(mailbox, poll->cursor)) {
    park(mailbox, poll, todo);
  } else {
    read_again(poll, todo);
  }
}

void Room::sent(const PollPtr& poll) {
  Effects todo;
  bool wake = false;
  {
    Lock lock(mutex_);
    if (poll->state() != Poll::State::sending) return;
    sent(poll, todo);
    wake = sooner();
  }
  carry_out(poll->desk, todo);
  if (wake) wake_();
}

// After a read. What it found is written to the client, and the next read comes only after the
// client has taken it. So a client that is slow to take a full mailbox has one portion of it under
// way.
void Room::stream_on(const PollPtr& poll, Mailbox* undisturbed, const Reading& reading,
                     Effects& todo) {
  if (poll->superseded) return end(poll, {.reason = Reason::superseded}, todo);
  const bool anything = !reading.messages.empty() || reading.missed > 0 || reading.reset;
  if (anything) {
    give(poll,
         {.messages = reading.messages,
          .cursor = reading.cursor,
          .missed = reading.missed,
          .reset = reading.reset},
         todo);
  }
  // (A client is not told what was collapsed: it sees that ids are left out.)
  delivered_.collapsed.add(reading.collapsed);
  poll->cursor = reading.cursor;
  if (closing_) {
    end(poll, {.reason = Reason::shutdown}, todo);
  } else if (clock_.steady_ms() >= poll->deadline_ms) {
    end(poll, {.reason = out_of_time(*poll)}, todo);
  } else if (poll->outbox.messages >= kStreamMessages) {
    end(poll, {.reason = Reason::timeout}, todo);
  } else if (!poll->may_park) {
    turn_away(poll, overloaded("as many polls are waiting as this server takes on"), todo);
  } else if (anything) {
    move(poll, Poll::State::sending, poll->deadline_ms);
  } else if (undisturbed == nullptr || reading.cursor < reading.newest) {
    read_again(poll, todo);
  } else {
    park(*undisturbed, poll, todo);
  }
}

void Room::acknowledge(Desk& desk, std::string_view user, std::string_view client,
                       const Cursor& after, Store::Then<bool> then) {
  Note its;
  {
    Lock lock(mutex_);
    const Instant now(clock_);
    Mailbox* mailbox = find(user);
    Client* here = mailbox != nullptr ? mailbox->find(client) : nullptr;
    const bool streams = here != nullptr && here->poll && here->poll->question.stream;
    if (streams) {
      // (A cursor from the past says nothing new. One from the future is ignored.)
      const bool new_here = !here->by_cursor || here->cursor < after;
      if (new_here && after <= here->poll->cursor) {
        here->cursor = after;
        here->by_cursor = true;
      }
      schedule_.remove(here->due);
      its = mailbox->note_of(*here, now);
    } else {
      its.user = user;
      its.client = client;
      its.after = after;
      its.watch_until = mailbox != nullptr ? mailbox->watch_until(now) : 0;
    }
  }
  write_note(desk, its, std::move(then));
}

}  // namespace letterbox
