// SPDX-License-Identifier: MIT
//
// One GET /poll or GET /events, from its arrival in the waiting room to its end: what was asked,
// and the way back to whoever asked. While it is parked it holds neither a thread nor a Redis
// connection nor a buffer. A stream is a poll that stays: what comes is written to it, its cursor
// moves along, and it is parked again.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "base/loop.h"
#include "base/peer_listener.h"
#include "mailbox/access.h"
#include "mailbox/store.h"
#include "model/cursor.h"
#include "model/error.h"
#include "waiting/ending.h"
#include "waiting/outbox.h"
#include "waiting/schedule.h"

namespace letterbox {

class Room;
struct Poll;

// What a worker brings along when it works in the room: its own loop and its own store.
struct Desk {
  Loop& loop;
  Store& store;
  // The room's, on the loop's thread: whose parked polls are to be looked at, oldest first; whether
  // some of them just are; and whether the store is being asked for polls whose turn it is.
  std::deque<std::string> to_look_at = {};
  bool looking = false;
  bool reading = false;
};

// The way back. An interface, so that the room is tested without connections. Any thread, one at a
// time.
class ReplyTo {
 public:
  virtual ~ReplyTo() = default;
  // One of the two, once, and nothing behind it.
  virtual void answer(const Ending& ending) = 0;
  virtual void refuse(const Error& error) = 0;
  // What a stream's client has taken of what was written to it so far; a client that has gone takes
  // everything.
  enum class Taken { all, in_part, too_little };
  // Of a stream, before its end: writes a portion. The first may be an empty one, which says that
  // the stream stands.
  virtual Taken write(const Portion& portion);
  // Asks to be told when the client goes away, or has taken everything; false if it has gone.
  virtual bool when_gone(std::weak_ptr<PeerListener> listener) = 0;
};

// What was asked. Constant once the poll has entered the room.
struct Question {
  std::string user;
  std::string client;
  bool by_cursor = false;  // `after` was given; else the store keeps this client's cursor
  bool foreign = false;    // ... but nobody can have handed it out
  Cursor after;
  size_t limit = 100;
  uint64_t timeout_ms = 0;  // 0: look, and return
  bool stream = false;      // it has a cursor, and a timeout
  // By what it came in; none where nobody asks.
  std::shared_ptr<const Admission> admission = {};
  bool outlives_admission = false;  // at the end of its time it may wait no more
};

struct Poll final : PeerListener, std::enable_shared_from_this<Poll> {
  // From `reading`, which it is born in, it may go to any but `late`; from each of the others:
  //
  //     queued   -> reading | late | ended
  //     parked   -> reading | late | ended
  //     slowed   -> reading | late | ended
  //     sending  -> reading | parked | ended
  //     late     -> ended
  enum class State {
    reading,  // the store was asked, or is about to be
    queued,   // waits its turn to be read for
    parked,   // waits for a ring
    sending,  // a stream: waits until its client has taken what was read
    late,     // superseded soon after it was parked: its answer is held back
    slowed,   // asks again and again for what it was given: held back before it is read for
    ended,    // whoever made it so, answers it
  };

  Poll(Room& its_room, Desk& its_desk, Question its_question, std::shared_ptr<ReplyTo> its_reply_to)
      : room(its_room),
        desk(its_desk),
        question(std::move(its_question)),
        reply_to(std::move(its_reply_to)) {}

  void gone() override;
  void took_all() override;

  Room& room;
  Desk& desk;  // of the worker whose connection it came by
  const Question question;
  const std::shared_ptr<ReplyTo> reply_to;

  // Guarded by the room's mutex.
  State state() const { return state_; }
  // Every transition. REQUIRES: one that is drawn above.
  void become(State next);

  Schedule::Place place;  // if it waits: in each state but `reading` and `ended`
  bool may_park = false;  // it has one of the places that there are
  bool was_parked = false;
  bool superseded = false;  // while reading: what it reads is still its own, but it may not park
  Cursor cursor;            // where the client stands
  uint64_t missed = 0;      // to be told in the answer
  bool reset = false;
  uint64_t rings_seen = 0;   // of its mailbox, when its read began
  Outbox outbox;             // of a stream
  bool watches = false;      // what its read has noted
  uint64_t parked_ms = 0;    // steady
  uint64_t deadline_ms = 0;  // steady

 private:
  State state_ = State::reading;
};

}  // namespace letterbox
