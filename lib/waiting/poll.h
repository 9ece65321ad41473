// SPDX-License-Identifier: MIT
//
// One GET /poll or GET /events, from its arrival in the waiting room to its end: the question, and
// the way back to the client. While it is parked it holds neither a thread nor a Redis connection
// nor a buffer. A stream is a poll that stays open: each message is written to it, its cursor moves
// on, and it is parked again.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "base/limits.h"
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

// A worker as the room sees it: its loop and its store.
struct Desk {
  Loop& loop;
  Store& store;
  // For the room, on the loop's thread: the users whose parked polls must be looked at, oldest
  // first; whether a look is under way; and whether Room::take_turns is at work.
  std::deque<std::string> to_look_at = {};
  bool looking = false;
  bool reading = false;
};

// The way back to the client. An interface, so that the room can be tested without connections. Any
// thread may call, one at a time.
class ReplyTo {
 public:
  virtual ~ReplyTo() = default;
  // One of these two is called, once, and nothing after it.
  virtual void answer(const Ending& ending) = 0;
  virtual void refuse(const Error& error) = 0;
  // How much a stream's client has taken of what was written so far. A client that has gone counts
  // as one that took everything.
  enum class Taken { all, in_part, too_little };
  // For a stream, before its end: writes a portion. The first portion may be empty; it says that
  // the stream is open.
  virtual Taken write(const Portion& portion);
  // From now on `listener` hears when the client goes away, or has taken everything. False: the
  // client has already gone.
  virtual bool when_gone(std::weak_ptr<PeerListener> listener) = 0;
};

// What the client asked. Constant once the poll has entered the room.
struct Question {
  std::string user;
  std::string client;
  bool by_cursor = false;  // `after` was given; else the store keeps this client's cursor
  bool foreign = false;    // ... but Letterbox can't have issued that cursor
  Cursor after;
  size_t limit = kPageItems;
  uint64_t timeout_ms = 0;  // 0: the poll does not wait
  bool stream = false;      // a stream has a cursor and a timeout
  // The admission that let the poll in; null if admissions are not checked.
  std::shared_ptr<const Admission> admission = {};
  bool outlives_admission = false;  // asked to wait longer than the admission lasts: ends as kicked
};

struct Poll final : PeerListener, std::enable_shared_from_this<Poll> {
  // A poll begins in `reading`, from which it may go to any state but `late`. From the others:
  //
  //     queued   -> reading | late | ended
  //     parked   -> reading | late | ended
  //     slowed   -> reading | late | ended
  //     sending  -> reading | parked | ended
  //     late     -> ended
  enum class State {
    reading,  // the store was asked, or is about to be
    queued,   // waits its turn to read
    parked,   // waits for a ring
    sending,  // a stream: waits until its client has taken what was read
    late,     // superseded soon after it was parked: its answer is held back
    slowed,   // repeats its question too often: held back before it may read
    ended,    // answered, or about to be
  };

  Poll(Room& its_room, Desk& its_desk, Question its_question, std::shared_ptr<ReplyTo> its_reply_to)
      : room(its_room),
        desk(its_desk),
        question(std::move(its_question)),
        reply_to(std::move(its_reply_to)) {}

  void gone() override;
  void took_all() override;

  Room& room;
  Desk& desk;  // of the worker whose connection the poll came by
  const Question question;
  const std::shared_ptr<ReplyTo> reply_to;

  // Guarded by the room's mutex.
  State state() const { return state_; }
  // Every transition. REQUIRES: it is drawn above.
  void become(State next);

  Schedule::Place place;  // set in each state but `reading` and `ended`
  bool may_park = false;  // it has one of the RoomLimits::parked places
  bool was_parked = false;
  bool superseded = false;  // set while reading: it may answer what it reads, but not park
  Cursor cursor;            // where the client stands
  uint64_t missed = 0;      // to be told in the answer, as are these two:
  uint64_t collapsed = 0;
  bool reset = false;
  uint64_t rings_seen = 0;   // the mailbox's rings() when the read began
  Outbox outbox;             // used by a stream
  bool watches = false;      // its read has noted that this program watches
  uint64_t parked_ms = 0;    // steady
  uint64_t deadline_ms = 0;  // steady

 private:
  State state_ = State::reading;
};

}  // namespace letterbox
