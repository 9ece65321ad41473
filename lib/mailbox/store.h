// SPDX-License-Identifier: MIT
//
// Mailboxes, as the programs see them: what can be asked of the store, and what comes back. An
// interface, so that tests of the waiting room have a store of their own; RedisStore is the real
// one.
//
// A store belongs to one worker. Callbacks come on its thread, once each, possibly before the call
// returns. Code::store_unavailable: nobody knows whether it was carried out. Code::broken_data: it
// was not, and will not be before somebody removes what stands in the mailbox's place; the message
// names the key.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/cursor.h"
#include "model/error.h"
#include "model/message.h"

namespace letterbox {

struct Pushed {
  Cursor id;
  uint64_t queued = 0;   // messages not yet acknowledged, this one included
  bool waiting = false;  // a program was watching the mailbox
};

// One poll's question, or (with limit 0) only its acknowledgement and note.
struct ReadRequest {
  std::string_view user;
  std::string_view client;
  // The client's cursor, {0,0} for the oldest kept; none: the one kept in the store, which moves on
  // as it is read.
  std::optional<Cursor> after;
  bool foreign = false;  // a cursor was given, but nobody can have handed it out
  // Of a stream: what its client is known to have, which may be less than the cursor; {0,0}:
  // nothing is known. It is parked whatever is found.
  std::optional<Cursor> acknowledged;
  size_t limit = 0;
  // Until when this program watches the mailbox, and this poll is parked: if nothing is found, or
  // `acknowledged` is there, as of a stream, which goes on. Wall clock, ms; 0: not.
  uint64_t watch_until = 0;
  uint64_t park_until = 0;
};

struct Reading {
  std::vector<Message> messages;  // their bodies live for as long as the callback
  Cursor cursor;        // of the last message read, or where the client stands; {0,0}: no mailbox
  Cursor newest;        // every message after this one will ring
  uint64_t missed = 0;  // messages after the client's cursor that it will not get
  bool reset = false;   // its cursor meant nothing here
  bool raw = false;     // raw elements wait to be adopted
};

// What a light look finds for one client of a mailbox, while it is parked.
struct Glimpse {
  Cursor newest;             // {0,0}: nobody ever pushed
  uint64_t watch_until = 0;  // until when this program is noted as watching; wall clock, 0: not
  bool noted = false;        // the client's line is there, and says:
  Cursor cursor;
  uint64_t park_until = 0;  // wall clock
  bool raw = false;         // raw elements wait to be adopted, if the lists were looked at
};

struct MailboxView {
  struct Client {
    std::string name;
    Cursor cursor;
    uint64_t seen_ms = 0;  // wall clock
    bool parked = false;
    bool live = false;
  };
  Cursor oldest;  // {0,0}: nothing is kept
  Cursor newest;  // {0,0}: nobody ever pushed
  uint64_t queued = 0;
  std::vector<Client> clients;
};

class Store {
 public:
  template <class T>
  using Then = std::function<void(Or<T>)>;
  // What became of each, in the order in which they were given.
  using ThenEach = std::function<void(const std::vector<Or<Pushed>>&)>;

  virtual ~Store() = default;

  // One message for each of these, which no other step comes between: not for so many that the
  // store is held up. `element` as model/message.h makes it.
  virtual void push_each(std::span<const std::string_view> users, std::string_view element,
                         ThenEach then) = 0;
  void push(std::string_view user, std::string_view element, Then<Pushed> then) {
    push_each({&user, 1}, element,
              [then = std::move(then)](const auto& outcomes) { then(outcomes.front()); });
  }
  virtual void read(const ReadRequest& request, Then<Reading> then) = 0;
  // A light look for many clients at once, which changes nothing: in the order in which they were
  // given, a glimpse of each, or none if its keys hold something else. `lists`: also at what hangs
  // in the lists, which whoever listens there hears of anyway. Not for so many that the store is
  // held up.
  struct Parked {
    std::string_view user;
    std::string_view client;
  };
  using Glimpses = std::vector<std::optional<Glimpse>>;
  virtual void peek(std::span<const Parked> clients, bool lists, Then<Glimpses> then) = 0;
  // The least that a client says by coming back: it has everything up to `after`, and is parked
  // until then (wall clock). For one that was read or noted before; false: it is not known there.
  virtual void acknowledge(std::string_view user, std::string_view client, const Cursor& after,
                           uint64_t park_until, Then<bool> then) = 0;
  virtual void view(std::string_view user, Then<MailboxView> then) = 0;
  // How many messages follow what a client has acknowledged, or are kept at all where the client is
  // not known. Costs the same however many they are; of those that have expired, only the oldest
  // are left out.
  virtual void unread(std::string_view user, std::string_view client, Then<uint64_t> then) = 0;
  // Whether there was a mailbox, or anything in its place.
  virtual void remove(std::string_view user, Then<bool> then) = 0;

  // Makes a text message of what somebody put into the list by hand: any bytes. It is out of the
  // list already, in the caller's hands.
  virtual void adopt(std::string_view user, std::string_view raw, Then<Pushed> then) = 0;
  // Adopts raw elements among the first of the list, in their order, each in the step that takes it
  // out: whatever happens, each stands in the list or is a message.
  virtual void adopt_all(std::string_view user, Then<bool> then) = 0;
};

}  // namespace letterbox
