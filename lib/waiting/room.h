// SPDX-License-Identifier: MIT
//
// The waiting room: who waits for which mailbox, and who is answered when it rings.
//
// A poll enters, its mailbox is read, and if there was nothing it parks until the mailbox rings,
// its time is up, a newer poll of the same user and client takes its place, its client goes away,
// or the program ends. What is known of a mailbox is in mailbox.h, what is due in schedule.h, what
// is done once the mutex is released in effects.h. Invariants:
// clang-format off
//   1. Enter first, read second: a ring that comes while a poll is read for is counted, and the
//      poll is read for again. So no message falls between the look and the wait.
//   2. A client that has everything, as its mailbox says, is parked without asking Redis: its
//      acknowledgement is all that is sent, by and by. It is why a busy client costs one script a
//      message instead of two.
//   3. A poll is answered by whoever takes it to State::ended, under the mutex. While the mutex is
//      held nothing is sent, and no store is called.
// clang-format on
// Any worker may call; it gives its own desk.
// room.cpp: who comes in, who is rung, how a wait ends. room_reads.cpp: what the store is asked and
// told. room_streams.cpp: what is written to a stream. room_looks.cpp: who has news after rings
// that went unheard.
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
  size_t parked = 100'000;  // polls that wait at once
  size_t clients = 100;     // of one user
};

class Room {
 public:
  // `wake` is called when the next deadline has come nearer: whoever calls tick() must look again.
  Room(const Clock& clock, Bells& bells, std::function<void()> wake, const RoomLimits& limits = {});

  // A poll comes in. It is answered now or later.
  void enter(Desk& desk, Question question, std::shared_ptr<ReplyTo> reply_to) EXCLUDES(mutex_);

  // There is something new in a mailbox. Rings may come in another order than their messages.
  void rung(Desk& desk, std::string_view user, const Ring& ring) EXCLUDES(mutex_);
  // A lane took something out of a user's list.
  void found(Desk& desk, std::string_view user, std::string_view element) EXCLUDES(mutex_);

  // Whoever listens for these users lost sight of them for a while: what rang then, nobody heard.
  // Or the store may lack what was to be written of them. Their polls are looked at by and by.
  // REQUIRES: this is the thread of the desk's loop.
  void missed_rings(Desk& desk, const std::vector<std::string>& users) EXCLUDES(mutex_);

  // By what the polls of a user came in, each once; and whose polls there are.
  std::vector<std::shared_ptr<const Admission>> admissions(std::string_view user) const
      EXCLUDES(mutex_);
  std::vector<std::string> users() const EXCLUDES(mutex_);
  // Ends every poll of a user that came in by that claim (its key), with Reason::kicked.
  void kick(Desk& desk, std::string_view user, std::string_view key) EXCLUDES(mutex_);

  // A stream's client has everything up to `after`, wherever its stream is. `then` hears whether
  // the store knows.
  void acknowledge(Desk& desk, std::string_view user, std::string_view client, const Cursor& after,
                   Store::Then<bool> then) EXCLUDES(mutex_);

  // Ends what is due. Returns the steady time at which to come back, if ever.
  std::optional<uint64_t> tick(Desk& desk) EXCLUDES(mutex_);

  // Answers every poll, and from now on each that comes, with Reason::shutdown.
  void close(Desk& desk) EXCLUDES(mutex_);

  // Polls in the room, parked or reading.
  size_t size() const EXCLUDES(mutex_);
  // Mailboxes whose clients wait or were here a moment ago: now, and the most there ever were since
  // this was asked last.
  struct Crowd {
    size_t now = 0;
    size_t most = 0;
  };
  Crowd take_crowd() EXCLUDES(mutex_);
  size_t mailboxes() const EXCLUDES(mutex_);
  // How many ended for which reason.
  uint64_t ended(Reason reason) const { return ended_.at(static_cast<size_t>(reason)); }
  // Polls that wait, streams among them; and all streams.
  size_t parked() const EXCLUDES(mutex_);
  size_t streams() const EXCLUDES(mutex_);
  // Polls that wait their turn to be read for; and reads under way.
  size_t waiting_reads() const EXCLUDES(mutex_);
  size_t reads_under_way() const EXCLUDES(mutex_);
  // What was given to those that ended.
  struct Figures {
    Counter messages;
    Counter bytes;
    Counter missed;  // messages of which a client was told that it will not get them
  };
  const Figures& delivered() const { return delivered_; }

 private:
  friend struct Poll;
  using PollPtr = std::shared_ptr<Poll>;
  struct Look;

  // --- who comes in, who is rung, how a wait ends
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

  // More than this server takes on.
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

  // --- who has news
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
  ReadTurns turns_ GUARDED_BY(mutex_);  // of the polls that are queued

  // When whoever ticks means to come back.
  std::optional<uint64_t> next_tick_ GUARDED_BY(mutex_);

  std::array<std::atomic<uint64_t>, kReasons> ended_{};
  Figures delivered_;
};

}  // namespace letterbox
