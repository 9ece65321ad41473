// SPDX-License-Identifier: MIT
//
// A mailbox as the waiting room knows it: whose polls wait for it, what is known of its messages,
// and what the store has been told. It says what a ring, a reading or a look means, and what is to
// be written; the room acts on it. It has neither lock nor clock. Invariants:
//   1. While is_up_to_date(cursor), every message after that cursor rings here.
//   2. The store has each client's line as it is here, but for what unwritten() counts, and, while
//      somebody waits, knows this program as watching until watch_noted at least.
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

// Who polls a mailbox. It stays a while after its poll was answered: it is usually back soon.
struct Client {
  Client(Mailbox& its_mailbox, std::string_view its_name) : mailbox(its_mailbox), name(its_name) {}

  // How long it is to be held back that asks this, since it asks again and again for what it was
  // just given, or is about to be.
  uint64_t hold_ms(const Question& asked, uint64_t now_ms);
  // Its poll was ended; with messages if `given`.
  void leaves(bool given, uint64_t now_ms);
  // It was given a message of so many bytes without a read, which its line in the store lacks.
  void given(size_t bytes);
  // It came back with the messages that it was given, so something is to be written of it.
  bool in_debt() const { return debt_.since_ms.has_value(); }
  void begin_debt(uint64_t now_ms) { debt_.since_ms = now_ms; }

  Mailbox& mailbox;
  const std::string name;
  std::shared_ptr<Poll> poll;  // the one that counts; none: between two polls, or gone
  Cursor cursor;               // the last it gave
  bool by_cursor = false;
  uint64_t since_ms = 0;       // without a poll
  uint64_t held_until_ms = 0;  // it is read for no sooner, if its poll is slowed
  Schedule::Place away;        // if it has no poll: when that is noted, or when it is forgotten
  Schedule::Place due;         // when its debt is written; none while in debt: it is overdue

 private:
  friend class Mailbox;

  // What its line in the store lacks, since it is written by and by.
  struct Debt {
    size_t messages = 0;  // given since
    size_t bytes = 0;
    uint64_t parked_until = 0;         // as the line has it; wall clock
    std::optional<uint64_t> since_ms;  // it came back with something to be written
  };

  bool written_ = false;  // the store has its line, no older than its last read or note but for:
  Debt debt_;
  // When it was last given messages after its cursor, and how often it has come back with the same
  // one within a second.
  std::optional<uint64_t> given_ms_;
  unsigned repeats_ = 0;
};

// What is written of a client in the store. Until when: wall clock.
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
  // How long it is listened to after its last poll was answered, so that the next one finds its
  // place warm.
  static constexpr uint64_t kWarmMs = 5000;

  explicit Mailbox(std::string_view user) : user_(user) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  const std::string& user() const { return user_; }

  // --- who polls it -----------------------------------------------------------------------------

  // Few, and their addresses stay.
  std::list<Client>& clients() { return clients_; }
  const std::list<Client>& clients() const { return clients_; }
  // Null: there is none.
  Client* find(std::string_view client);
  Client* find(const Poll& poll);
  // The client without a poll that has been so for longest; null: each has one.
  Client* longest_away();
  bool anybody_waits() const;

  // --- what is known of its messages ------------------------------------------------------------

  bool is_up_to_date(const Cursor& at) const { return current_ && newest_ == at; }
  uint64_t rings() const { return rings_; }
  // It rang. Rings may come in another order than their messages.
  void rang(const Ring& ring);
  // What rang may have gone unheard, and what the store had been told may be lost.
  void missed_rings();
  // A poll was read for. True: nothing has rung since the read began.
  bool was_read(const Poll& poll, const Cursor& newest);
  void doubt() { current_ = false; }

  // What a light look at a parked client says. REQUIRES: nothing has rung since the look began.
  enum class Sight {
    nothing_new,
    note_lost,  // nothing new either, but the store has lost what was to be written of it
    news,       // read for it
  };
  Sight was_seen(Client& client, const Glimpse& seen, const Instant& now);

  // --- what the store is told -------------------------------------------------------------------

  // Until when this program will be listening for it, as far as can be said now. Wall clock; 0:
  // nobody waits who may park.
  uint64_t watch_until(const Instant& now) const;
  // ... and a read has been told so.
  uint64_t note_watch(const Instant& now) { return watch_noted_ = watch_until(now); }
  // Nobody will be listening, from now on.
  void close() { closed_ = true; }

  // Whether what is to be written of a client that parks again must be written now.
  bool must_be_noted(const Client& client, const Instant& now) const;
  // All that is to be written of a client; and for one that is parked and up to date the least.
  Note note_of(Client& client, const Instant& now);
  Note acknowledgement_of(Client& client, const Instant& now);
  // A client is noted as away.
  Note lapse(Client& client, const Instant& now);
  // The store has written a client's line itself as it read, which found so many messages.
  void line_written(Client& client, size_t found, uint64_t parked_until);
  // Whether a note that a client is not waiting has, or may have, taken back what was noted since:
  // by another connection, which was quicker, the client came back, or another one that needs the
  // watch, also one between two polls, which may park again without a read.
  bool is_taken_back_by(const Note& note, const Instant& now) const;

  std::optional<Bells::Place> watched;  // the room's, where its list is listened to
  bool to_look_at = false;              // the room's: it stands in the line of a desk

 private:
  const std::string user_;
  std::list<Client> clients_;
  bool closed_ = false;
  bool current_ = false;  // each message after the newest rings here
  Cursor newest_;
  uint64_t rings_ = 0;
  uint64_t watch_noted_ = 0;  // until when the store knows it to be watched; wall clock
};

}  // namespace letterbox
