// SPDX-License-Identifier: MIT
//
// The waiting room: which polls wait for which mailbox, and which are answered when it rings.
//
// A poll enters, its mailbox is read, and if there was nothing it parks until the mailbox rings,
// its time is up, a newer poll of the same user and client takes its place, its client goes away,
// or the program ends. mailbox.h has what is known of a mailbox, schedule.h what is due, and
// effects.h what is done once the mutex is released. Invariants:
// clang-format off
//   1. Enter first, read second. A ring that comes while a poll reads is counted, and the poll
//      reads again. So no message falls between the look and the wait.
//   2. A client that has every message, as far as its mailbox knows, is parked without asking
//      Redis. Only its acknowledgement is sent, some time later. So a busy client costs one script
//      a message instead of two.
//   3. A poll goes to State::ended once, under the mutex. It is answered once the mutex is
//      released: by the thread that ended it, or by the thread that is writing to its stream. While
//      the mutex is held nothing is sent, and no store is called.
// clang-format on
// Any worker's thread may call, with its own desk. room.cpp: how polls enter, ring and end.
// room_reads.cpp: what the store is asked and told. room_streams.cpp: what is written to a stream.
// room_looks.cpp: which polls have news after missed rings.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/sync.h"
#include "model/message.h"
#include "waiting/bells.h"
#include "waiting/effects.h"
#include "waiting/ending.h"
#include "waiting/mailbox.h"
#include "waiting/poll.h"
#include "waiting/read_turns.h"
#include "waiting/schedule.h"

namespace letterbox {

struct RoomLimits {
  size_t parked = kParkedPolls;   // polls that wait at once
  size_t clients = kUserClients;  // of one user
};

class Room {
 public:
  // `wake` is called when the next deadline has come nearer: tick() must then be called again.
  Room(const Clock& clock, Bells& bells, std::function<void()> wake, const RoomLimits& limits = {});

  // A poll enters. It is answered now or later.
  void enter(Desk& desk, Question question, std::shared_ptr<ReplyTo> reply_to) EXCLUDES(mutex_);

  // A mailbox rings: it has something new. Rings may come in another order than their messages.
  void rung(Desk& desk, std::string_view user, const Ring& ring) EXCLUDES(mutex_);
  // A lane took an element out of a user's list.
  void found(Desk& desk, std::string_view user, std::string_view element) EXCLUDES(mutex_);

  // Rings for these users may have been missed for a while, or the store may lack what was to be
  // written about them. Their parked polls are looked at in portions. REQUIRES: this is the thread
  // of the desk's loop.
  void missed_rings(Desk& desk, const std::vector<std::string>& users) EXCLUDES(mutex_);

  // The distinct admissions of a user's polls; and the users with a mailbox here.
  std::vector<std::shared_ptr<const Admission>> admissions(std::string_view user) const
      EXCLUDES(mutex_);
  std::vector<std::string> users() const EXCLUDES(mutex_);
  // Ends each poll of a user whose admission has the claim with this key, with Reason::kicked.
  void kick(Desk& desk, std::string_view user, std::string_view key) EXCLUDES(mutex_);

  // A stream's client has every message up to `after`. Its stream may be at another program. `then`
  // hears whether the store has noted that.
  void acknowledge(Desk& desk, std::string_view user, std::string_view client, const Cursor& after,
                   Store::Then<bool> then) EXCLUDES(mutex_);

  // Does what is due. Returns the steady time at which it must be called again; none: nothing is
  // due later.
  std::optional<uint64_t> tick(Desk& desk) EXCLUDES(mutex_);

  // Answers every poll, and from now on each that comes, with Reason::shutdown.
  void close(Desk& desk) EXCLUDES(mutex_);

  // Polls in the room, in any state but ended.
  size_t size() const EXCLUDES(mutex_);
  // Mailboxes whose clients wait here, or did a moment ago: how many now, and the most at once
  // since the last call of take_crowd().
  struct Crowd {
    size_t now = 0;
    size_t most = 0;
  };
  Crowd take_crowd() EXCLUDES(mutex_);
  size_t mailboxes() const EXCLUDES(mutex_);
  // How many polls ended for this reason.
  uint64_t ended(Reason reason) const { return ended_.at(static_cast<size_t>(reason)); }
  // Polls that wait, streams included; and all streams.
  size_t parked() const EXCLUDES(mutex_);
  size_t streams() const EXCLUDES(mutex_);
  // Polls that wait their turn to read; and reads under way.
  size_t waiting_reads() const EXCLUDES(mutex_);
  size_t reads_under_way() const EXCLUDES(mutex_);
  // What clients were given, by answers and on streams.
  struct Figures {
    Counter messages;
    Counter bytes;
    Counter missed;     // messages that clients were told they will not get
    Counter collapsed;  // messages that were replaced or retracted before a client got them
  };
  const Figures& delivered() const { return delivered_; }

 private:
  friend struct Poll;
  using PollPtr = std::shared_ptr<Poll>;
  struct Look;

  // --- how polls enter, ring and end
  void come_in(Client& client, const PollPtr& poll, Effects& todo) REQUIRES(mutex_);
  Mailbox& mailbox_of(std::string_view user) REQUIRES(mutex_);
  bool has_everything(const Mailbox& mailbox, const Cursor& at) const REQUIRES(mutex_);
  Client* client_of(const Question& question, Effects& todo) REQUIRES(mutex_);
  void supersede(const PollPtr& older, Effects& todo) REQUIRES(mutex_);
  void ring_client(Client& client, const Ring& ring, const Message& message, Effects& todo)
      REQUIRES(mutex_);
  void come_due(const Schedule::Entry& due, const Instant& now, Effects& todo) REQUIRES(mutex_);
  void leave(const PollPtr& poll) EXCLUDES(mutex_);
  void dismiss(Client& client, Effects& todo) REQUIRES(mutex_);
  void note(Client& client, Effects& todo) REQUIRES(mutex_);
  void acknowledge(Client& client, const Instant& now, Effects& todo) REQUIRES(mutex_);
  void forget(Client& client) REQUIRES(mutex_);

  void park(Mailbox& mailbox, const PollPtr& poll, Effects& todo) REQUIRES(mutex_);
  void read_again(const PollPtr& poll, Effects& todo) REQUIRES(mutex_);
  void end(const PollPtr& poll, Ending ending, Effects& todo) REQUIRES(mutex_);
  static Reason out_of_time(const Poll& poll);
  void turn_away(const PollPtr& poll, const Error& error, Effects& todo) REQUIRES(mutex_);
  void refuse(const PollPtr& poll, const Error& error, Effects& todo) REQUIRES(mutex_);
  void finish(const PollPtr& poll, Reason reason) REQUIRES(mutex_);
  void count(const Portion& given) REQUIRES(mutex_);
  void move(const PollPtr& poll, Poll::State to, uint64_t due_ms = 0) REQUIRES(mutex_);

  void carry_out(Desk& desk, const Effects& todo) EXCLUDES(mutex_);
  Mailbox* find(std::string_view user) const REQUIRES(mutex_);
  Client* find(const PollPtr& poll) const REQUIRES(mutex_);
  bool sooner() REQUIRES(mutex_);

  // The error of a limit that this server has reached.
  static Error overloaded(std::string message);
  static Error too_many_reads();

  // --- what is written to a stream
  void give(const PollPtr& poll, const Portion& portion, Effects& todo) REQUIRES(mutex_);
  void write(Desk& desk, const PollPtr& poll, const Portion& portion) EXCLUDES(mutex_);
  void wrote(const PollPtr& poll, ReplyTo::Taken taken, Effects& todo) REQUIRES(mutex_);
  void sent(const PollPtr& poll) EXCLUDES(mutex_);
  void sent(const PollPtr& poll, Effects& todo) REQUIRES(mutex_);
  void stream_on(const PollPtr& poll, Mailbox* undisturbed, const Reading& reading, Effects& todo)
      REQUIRES(mutex_);

  // --- what the store is asked and told
  void read(Desk& desk, const PollPtr& poll) EXCLUDES(mutex_);
  void take_turns(Desk& desk) EXCLUDES(mutex_);
  ReadRequest request_for(Poll& poll) REQUIRES(mutex_);
  void ask(Desk& desk, const PollPtr& poll, const ReadRequest& request) EXCLUDES(mutex_);
  void read_done(Desk& desk, const PollPtr& poll, const Reading& reading) EXCLUDES(mutex_);
  void go_on(const PollPtr& poll, Mailbox* undisturbed, const Reading& reading, Effects& todo)
      REQUIRES(mutex_);
  void read_failed(Desk& desk, const PollPtr& poll, const Error& error) EXCLUDES(mutex_);
  void adopt_then_read(Desk& desk, const PollPtr& poll) EXCLUDES(mutex_);
  void adopt(Desk& desk, const std::string& user, const std::string& raw, uint64_t again_ms);
  void note_return(Client& client, Effects& todo) REQUIRES(mutex_);
  void write_note(Desk& desk, const Note& note, Store::Then<bool> then = {}) EXCLUDES(mutex_);
  void write_acknowledgement(Desk& desk, const Note& note);
  void write_debts(Desk& desk, const std::vector<PollPtr>& polls) EXCLUDES(mutex_);

  // --- which polls have news
  void look_on(Desk& desk) EXCLUDES(mutex_);
  std::vector<Look> next_looks(Desk& desk, bool& lists) EXCLUDES(mutex_);
  void looked(Desk& desk, const std::vector<Look>& looks, const Or<Store::Glimpses>& seen)
      EXCLUDES(mutex_);

  struct UserHash {
    using is_transparent = void;
    size_t operator()(std::string_view user) const { return std::hash<std::string_view>{}(user); }
  };

  // Constant after construction.
  const Clock& clock_;
  Bells& bells_;
  const std::function<void()> wake_;
  const RoomLimits limits_;

  mutable Mutex mutex_;
  bool closing_ GUARDED_BY(mutex_) = false;
  size_t inside_ GUARDED_BY(mutex_) = 0;
  size_t streams_ GUARDED_BY(mutex_) = 0;
  size_t places_taken_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, std::unique_ptr<Mailbox>, UserHash, std::equal_to<>> mailboxes_
      GUARDED_BY(mutex_);
  size_t most_mailboxes_ GUARDED_BY(mutex_) = 0;
  Schedule schedule_ GUARDED_BY(mutex_);
  ReadTurns turns_ GUARDED_BY(mutex_);  // for the queued polls

  // When tick() is to be called next, as its caller was told.
  std::optional<uint64_t> next_tick_ GUARDED_BY(mutex_);

  std::array<std::atomic<uint64_t>, kReasons> ended_{};
  Figures delivered_;
};

}  // namespace letterbox
