// SPDX-License-Identifier: MIT
//
// A mailbox as the waiting room knows it: its clients and their polls, what is known of its
// messages, and what the store has been told. It says what a ring, a read or a look means, and what
// must be written to the store; the room acts on that. It has neither lock nor clock. Invariants:
//   1. While is_up_to_date(cursor), every message after that cursor rings here.
//   2. The store has each client's line as it is here, apart from the client's debt. While a poll
//      waits, the store has this program noted as watching until watch_noted_ at least.
// Times are steady, in ms, unless they say wall clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "mailbox/store.h"
#include "model/cursor.h"
#include "model/message.h"
#include "waiting/bells.h"
#include "waiting/poll.h"
#include "waiting/schedule.h"

namespace letterbox {

class Mailbox;

// One client of a mailbox. It stays for a while after its poll was answered, since clients usually
// come back soon.
struct Client {
  Client(Mailbox& its_mailbox, std::string_view its_name) : mailbox(its_mailbox), name(its_name) {}

  // How many ms a poll with this question must be held back, because the client asks again and
  // again for what it was just given, or is about to be given. 0: not at all.
  uint64_t hold_ms(const Question& asked, uint64_t now_ms);
  // The client's poll has ended; with messages if `given`.
  void leaves(bool given, uint64_t now_ms);
  // The client was given a message of this many bytes without a read, so its line in the store
  // lacks that message.
  void given(size_t bytes);
  // The client came back with the messages that it was given, so its line must be written.
  bool in_debt() const { return debt_.since_ms.has_value(); }
  void begin_debt(uint64_t now_ms) { debt_.since_ms = now_ms; }

  Mailbox& mailbox;
  const std::string name;
  std::shared_ptr<Poll> poll;  // the newest one; null: the client is between two polls, or gone
  Cursor cursor;               // the last one that the client gave
  bool by_cursor = false;
  uint64_t since_ms = 0;       // since when the client has no poll
  uint64_t held_until_ms = 0;  // a slowed poll must not read before this time
  Schedule::Place away;  // without a poll: when that is noted, later when the client is forgotten
  Schedule::Place due;   // when its debt is written; empty while in debt: overdue

 private:
  friend class Mailbox;

  // What the client's line in the store lacks, because lines are not written at once.
  struct Debt {
    size_t messages = 0;  // given since the line was written
    size_t bytes = 0;
    uint64_t parked_until = 0;         // what the line says; wall clock
    std::optional<uint64_t> since_ms;  // since when the line must be written; none: it need not be
  };

  bool written_ = false;  // the store has its line as of the last read or note, but for:
  Debt debt_;
  // When the client was last given messages after its cursor, and how many times in a row it has
  // asked again with that cursor within a second.
  std::optional<uint64_t> given_ms_;
  unsigned repeats_ = 0;
};

// What must be written about a client in the store. Times are wall clock.
struct Note {
  std::string user;
  std::string client;
  std::optional<Cursor> after;
  uint64_t watch_until = 0;
  uint64_t park_until = 0;
  bool only_acknowledges = false;
};

class Mailbox {
 public:
  explicit Mailbox(std::string_view user) : user_(user) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  const std::string& user() const { return user_; }

  // --- clients ----------------------------------------------------------------------------------

  // At most RoomLimits::clients. A list, so that their addresses stay.
  std::list<Client>& clients() { return clients_; }
  const std::list<Client>& clients() const { return clients_; }
  // Null: there is no such client.
  Client* find(std::string_view client);
  Client* find(const Poll& poll);
  // The client that has been without a poll for longest; null: each client has one.
  Client* longest_away();
  bool anybody_waits() const;

  // --- what is known of its messages ------------------------------------------------------------

  bool is_up_to_date(const Cursor& at) const { return current_ && newest_ == at; }
  uint64_t rings() const { return rings_; }
  // The mailbox rang. Rings may come in another order than their messages.
  void rang(const Ring& ring);
  // Rings may have been missed, and what the store was told may be lost.
  void missed_rings();
  // A read for a poll is through. True: nothing has rung since the read began.
  bool was_read(const Poll& poll, const Cursor& newest);
  void doubt() { current_ = false; }

  // What a light look at a parked client says. REQUIRES: nothing has rung since the look began.
  enum class Sight {
    nothing_new,
    note_lost,  // nothing new, but the store has lost the client's note
    news,       // the poll must read
  };
  Sight was_seen(Client& client, const Glimpse& seen, const Instant& now);

  // --- what the store is told -------------------------------------------------------------------

  // Until when this program will watch the mailbox, as far as is known now. Wall clock; 0: it does
  // not watch.
  uint64_t watch_until(const Instant& now) const;
  // The same, for a read that tells the store.
  uint64_t note_watch(const Instant& now) { return watch_noted_ = watch_until(now); }
  // From now on this program no longer watches the mailbox.
  void close() { closed_ = true; }

  // Whether the line of a client that parks again must be written now.
  bool must_be_noted(const Client& client, const Instant& now) const;
  // note_of(): all that must be written about a client. acknowledgement_of(): the least that must
  // be written about a parked client that is up to date.
  Note note_of(Client& client, const Instant& now);
  Note acknowledgement_of(Client& client, const Instant& now);
  // The note that a client is away.
  Note lapse(Client& client, const Instant& now);
  // A read that found `found` messages has written the client's line in the store.
  void line_written(Client& client, size_t found, uint64_t parked_until);
  // Whether a note that a client is not waiting has overwritten a newer note, or may have. A newer
  // note may go by another, quicker connection. It may be of the same client, which came back, or
  // of another client that needs the watch. A client between two polls needs the watch too, since
  // it may park again without a read.
  bool is_taken_back_by(const Note& note, const Instant& now) const;

  std::optional<Bells::Place> watched;  // for the room: the list's place among the lanes
  bool to_look_at = false;              // for the room: it stands in a desk's queue

 private:
  const std::string user_;
  std::list<Client> clients_;
  bool closed_ = false;
  bool current_ = false;  // each message after newest_ rings here
  Cursor newest_;
  uint64_t rings_ = 0;
  uint64_t watch_noted_ = 0;  // until when the store has it noted as watched; wall clock
};

}  // namespace letterbox
