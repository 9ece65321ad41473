// SPDX-License-Identifier: MIT
//
// The waiting room: who waits for which mailbox, and who is answered when it rings.
//
// A poll enters, its mailbox is read, and if there was nothing it parks until the mailbox rings,
// its time is up, a newer poll of the same user and client takes its place, its client goes away,
// or the program ends. Invariants:
//   1. Enter first, read second: a ring that comes while a poll reads is counted, and the poll
//   reads
//      again. So no message falls between the look and the wait.
//   2. `known` of a mailbox, while `current`, is a cursor such that every later message rings here.
//      A client that has everything up to it is parked without asking Redis: its acknowledgement is
//      all that is sent. It is why a busy client costs one script a message instead of two.
//   3. A poll is answered by whoever takes it to State::ended, under the mutex. While the mutex is
//      held nothing is sent, and no store is called.
// Any worker may call; it gives its own desk. room_parts.h says which file has which part of it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
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
#include "waiting/ending.h"
#include "waiting/poll.h"
#include "waiting/read_turns.h"

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
  void enter(Desk& desk, Question question, std::unique_ptr<Caller> caller) EXCLUDES(mutex_);

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
  // Polls that wait.
  size_t parked() const EXCLUDES(mutex_);
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

  struct Mailbox;
  struct Client;
  // In the order in which they have been so: without a poll, or with something to be written.
  using Line = std::list<Client*>;

  // What a client's line in the store lacks, since it is written by and by.
  struct Debt {
    size_t messages = 0;  // given since
    size_t bytes = 0;
    uint64_t parked_until = 0;            // as the line has it; wall clock
    std::optional<uint64_t> since_ms;     // it came back with something to be written; steady
    std::optional<Line::iterator> place;  // among those whose time has not come
  };

  struct Client {
    std::string name;
    Mailbox* mailbox = nullptr;
    PollPtr poll;   // the one that counts; none: the client is between two polls, or gone
    Cursor cursor;  // the last it gave
    bool by_cursor = false;
    bool written = false;  // the store has its line, no older than its last read or note but for:
    Debt debt;
    uint64_t since_ms = 0;  // without a poll, steady
    // When it was last given messages after this cursor, steady; and how often it has come back
    // with the same one within a second.
    std::optional<uint64_t> given_ms;
    unsigned repeats = 0;
    uint64_t held_until_ms = 0;  // it is read for no sooner, if its poll is slowed; steady
    Line* list = nullptr;        // where it stands, if it has no poll
    Line::iterator place;
  };

  struct Mailbox {
    std::string user;
    std::list<Client> clients;  // few, and their addresses stay
    std::optional<Bells::Place> watched;
    bool current = false;
    bool to_look_at = false;  // stands in the line of a desk
    Cursor known;
    uint64_t rings = 0;
    uint64_t watch_noted = 0;  // until when the store knows it to be watched, wall clock
  };

  struct UserHash {
    using is_transparent = void;
    size_t operator()(std::string_view user) const { return std::hash<std::string_view>{}(user); }
  };

  // What is done once the mutex is released.
  struct Answers;
  struct Look;
  struct Note {
    std::string user;
    std::string client;
    std::optional<Cursor> after;
    uint64_t watch_until = 0;
    uint64_t park_until = 0;
    bool only_acknowledges = false;
  };

  void leave(const PollPtr& poll) EXCLUDES(mutex_);
  void read(Desk& desk, const PollPtr& poll) EXCLUDES(mutex_);
  void take_turns(Desk& desk) EXCLUDES(mutex_);
  ReadRequest request_for(Poll& poll) REQUIRES(mutex_);
  void ask(Desk& desk, const PollPtr& poll, const ReadRequest& request) EXCLUDES(mutex_);
  void end_overdue(uint64_t now_ms, Answers& todo) REQUIRES(mutex_);
  void read_done(Desk& desk, const PollPtr& poll, const Reading& reading) EXCLUDES(mutex_);
  void look_on(Desk& desk) EXCLUDES(mutex_);
  std::vector<Look> next_looks(Desk& desk, bool& lists) EXCLUDES(mutex_);
  void looked(Desk& desk, const std::vector<Look>& looks, const Or<Store::Glimpses>& seen)
      EXCLUDES(mutex_);
  void read_failed(Desk& desk, const PollPtr& poll, const Error& error) EXCLUDES(mutex_);
  void adopt_then_read(Desk& desk, const PollPtr& poll) EXCLUDES(mutex_);
  void adopt(Desk& desk, const std::string& user, const std::string& raw, uint64_t again_ms);
  void acknowledge(Desk& desk, const Note& note);
  void write_note(Desk& desk, const Note& note) EXCLUDES(mutex_);
  bool takes_back(const Note& note) const EXCLUDES(mutex_);
  void carry_out(Desk& desk, const Answers& todo) EXCLUDES(mutex_);
  static void write_down(Desk& desk, const Note& note, Store::Then<Reading> then);

  void come_in(Mailbox& mailbox, Client& client, const PollPtr& poll, Answers& todo)
      REQUIRES(mutex_);
  void supersede(const PollPtr& older, Answers& todo) REQUIRES(mutex_);
  void take_place(Poll& poll) REQUIRES(mutex_);
  void turn_away(const PollPtr& poll, Error error, Answers& todo) REQUIRES(mutex_);
  uint64_t hold_ms(Client& client, const Question& asked) const REQUIRES(mutex_);
  void ring_client(Client& client, const Ring& ring, Answers& todo) REQUIRES(mutex_);
  static void to_look_at(Desk& desk, Mailbox& mailbox);
  static bool nothing_new(const Client& client, const Glimpse& seen);
  bool put_notes_right(Client& client, const Glimpse& seen, Answers& todo) REQUIRES(mutex_);
  void park(Mailbox& mailbox, const PollPtr& poll) REQUIRES(mutex_);
  void unpark(const PollPtr& poll) REQUIRES(mutex_);
  void read_again(const PollPtr& poll) REQUIRES(mutex_);
  void go_on(const PollPtr& poll, Mailbox* undisturbed, const Reading& reading, Answers& todo)
      REQUIRES(mutex_);
  void end(const PollPtr& poll, Ending ending, Answers& todo) REQUIRES(mutex_);
  void finish(const PollPtr& poll, Reason reason) REQUIRES(mutex_);
  static Reason out_of_time(const Poll& poll);
  static uint64_t pause_ms(const Poll& poll, Reason reason, size_t crowd);

  Mailbox* known(std::string_view user) const REQUIRES(mutex_);
  Mailbox& mailbox_of(std::string_view user) REQUIRES(mutex_);
  Client* client_of(Mailbox& mailbox, const Question& question, Answers& todo) REQUIRES(mutex_);
  Client* current_client(const PollPtr& poll) REQUIRES(mutex_);
  static void place_of(Client& client, Line* list);
  void forget(Client& client) REQUIRES(mutex_);
  static bool anybody_waits(const Mailbox& mailbox);
  void note_return(Client& client, Answers& todo) REQUIRES(mutex_);
  bool must_be_noted(const Client& client) const REQUIRES(mutex_);
  void write_due_debts(uint64_t now_ms, Answers& todo) REQUIRES(mutex_);
  void write_debts(Desk& desk, const std::vector<PollPtr>& polls) EXCLUDES(mutex_);
  void settle(Client& client, uint64_t parked_until) REQUIRES(mutex_);
  Note acknowledgement_of(Client& client) REQUIRES(mutex_);
  Note note_of(Client& client) REQUIRES(mutex_);
  uint64_t watch_until(const Mailbox& mailbox) const REQUIRES(mutex_);
  uint64_t wall(uint64_t steady_ms) const;
  std::optional<uint64_t> next_due() const REQUIRES(mutex_);
  bool sooner() REQUIRES(mutex_);

  // Constant after construction.
  const Clock& clock_;
  Bells& bells_;
  const std::function<void()> wake_;
  const RoomLimits limits_;

  mutable Mutex mutex_;
  bool closing_ GUARDED_BY(mutex_) = false;
  size_t inside_ GUARDED_BY(mutex_) = 0;
  size_t places_taken_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, std::unique_ptr<Mailbox>, UserHash, std::equal_to<>> mailboxes_
      GUARDED_BY(mutex_);
  size_t most_mailboxes_ GUARDED_BY(mutex_) = 0;
  std::multimap<uint64_t, PollPtr> deadlines_ GUARDED_BY(mutex_);
  // Just answered, will most likely be back; and those who were noted as away since.
  Line lapsing_ GUARDED_BY(mutex_);
  Line resting_ GUARDED_BY(mutex_);
  // Came back, which is to be written by and by.
  Line indebted_ GUARDED_BY(mutex_);
  // Superseded too soon: when their answers are due.
  std::multimap<uint64_t, PollPtr> late_ GUARDED_BY(mutex_);
  // Slowed: when they are to be read for.
  std::multimap<uint64_t, PollPtr> slowed_ GUARDED_BY(mutex_);
  // Queued.
  ReadTurns turns_ GUARDED_BY(mutex_);

  // When whoever ticks means to come back.
  std::optional<uint64_t> next_tick_ GUARDED_BY(mutex_);

  std::array<std::atomic<uint64_t>, kReasons> ended_{};
  Figures delivered_;
};

}  // namespace letterbox
