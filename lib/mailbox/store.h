// SPDX-License-Identifier: MIT
//
// The store of mailboxes: what the programs can ask of it, and what it answers. An interface, so
// that tests of the waiting room have a store of their own; RedisStore is the real one.
//
// A store belongs to one worker. Callbacks come on that worker's thread, once each, possibly before
// the call returns. After Code::store_unavailable it is unknown whether the call was carried out.
// After Code::broken_data it was not; a retry fails too, until the wrong value in the mailbox's
// place is removed. The error's message names the key.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/callback.h"
#include "model/cursor.h"
#include "model/error.h"
#include "model/message.h"

namespace letterbox {

struct Pushed {
  Cursor id;
  uint64_t queued = 0;   // messages not yet acknowledged, this one included
  bool waiting = false;  // a program was watching the mailbox
  // Nothing was pushed, since the record of an idempotent push has this outcome already.
  bool replayed = false;
  // Of such a record: the message was scheduled, under this id (model/scheduled_id.h).
  std::string scheduled = {};
};

// What few pushes ask for. Texts are printable ASCII without blanks; an empty one asks for nothing.
struct PushOptions {
  // Names this push: another one of the same name to the same user within the life of such records
  // pushes nothing, and has the outcome of the first.
  std::string record = {};
  // What is unread under this key in the mailbox is replaced: neither delivered nor missed.
  std::string collapse = {};
  // The message is what the user's schedule has under this id, and is taken out there in the same
  // step. If it is not there any more nothing is pushed, and the outcome's id is {0,0}.
  std::string scheduled = {};
};

// What one poll asks; with limit 0 it only acknowledges, and notes whether the poll is parked.
struct ReadRequest {
  std::string_view user;
  std::string_view client;
  // The client's cursor; {0,0}: before the oldest message kept; none: the cursor kept in the store,
  // which moves on as messages are read.
  std::optional<Cursor> after;
  bool foreign = false;  // the cursor given is none that Letterbox hands out
  // Up to where the client is known to have the messages, if that may be behind the cursor; {0,0}:
  // unknown. (A stream's client may not have received yet what it was given. A poll's client was
  // not told yet what an earlier read for it has passed over.)
  std::optional<Cursor> acknowledged;
  bool stream = false;  // it is parked whether or not messages are found
  size_t limit = 0;
  // Until when this program watches the mailbox, and until when this poll is parked (if nothing is
  // found, or for a stream). Wall clock, ms; 0: not.
  uint64_t watch_until = 0;
  uint64_t park_until = 0;
};

struct Reading {
  std::vector<Message> messages;  // their bodies are valid during the callback only
  Cursor cursor;           // of the last message read, or the client's own; {0,0}: no mailbox
  Cursor newest;           // every message after this one will ring
  uint64_t missed = 0;     // messages after the client's cursor that it will not get
  uint64_t collapsed = 0;  // messages after it that were replaced or retracted
  bool reset = false;      // the client's cursor has no meaning in this mailbox
  bool raw = false;        // raw elements wait to be adopted
};

// What peek() finds for one parked client of a mailbox.
struct Glimpse {
  Cursor newest;             // {0,0}: nothing was ever pushed
  uint64_t watch_until = 0;  // until when this program is noted as watching; wall clock, 0: not
  bool noted = false;        // the client has a line, which says:
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
  Cursor newest;  // {0,0}: nothing was ever pushed
  uint64_t queued = 0;
  std::vector<Client> clients;
  std::vector<Message> messages;  // their bodies are valid during the callback only
};

// Which messages a view of a mailbox has.
struct Window {
  Cursor after = {};  // of another mailbox, or {0,0}: from the oldest message kept
  size_t limit = 0;   // 0: none
};

class Store {
 public:
  template <class T>
  using Then = Callback<void(Or<T>)>;
  // What became of each, in the order in which they were given.
  using ThenEach = Callback<void(const std::vector<Or<Pushed>>&)>;

  virtual ~Store() = default;

  // Pushes one message to each of these users, all in one step (in a cluster, one step a part). So
  // there may be no more users than a step allows. `element` is made by model/message.h.
  virtual void push_each(std::span<const std::string_view> users, std::string_view element,
                         const PushOptions& options, ThenEach then) = 0;
  void push(std::string_view user, std::string_view element, Then<Pushed> then) {
    push_each({&user, 1}, element, {},
              [then = std::move(then)](const auto& outcomes) { then(outcomes.front()); });
  }
  virtual void read(const ReadRequest& request, Then<Reading> then) = 0;
  // A cheap look at the mailboxes of many clients at once, which changes nothing. Yields a glimpse
  // for each client, in the order given, or none if its keys hold other data. `lists`: also looks
  // for raw elements in the lists, which a program that listens to the lists need not. Too many
  // clients in one call would block Redis.
  struct Parked {
    std::string_view user;
    std::string_view client;
  };
  using Glimpses = std::vector<std::optional<Glimpse>>;
  virtual void peek(std::span<const Parked> clients, bool lists, Then<Glimpses> then) = 0;
  // Notes that a client has everything up to `after` and is parked until `park_until` (wall clock):
  // the cheapest note, for a client that was read or noted before. False: the store did not know
  // the client.
  virtual void acknowledge(std::string_view user, std::string_view client, const Cursor& after,
                           uint64_t park_until, Then<bool> then) = 0;
  // Looks at a mailbox, and changes nothing: no message in the window counts as read.
  virtual void view(std::string_view user, const Window& window, Then<MailboxView> then) = 0;
  // How many messages a client has not acknowledged; for an unknown client, how many are kept. The
  // cost does not grow with that number, since only the oldest messages are checked for expiry.
  virtual void unread(std::string_view user, std::string_view client, Then<uint64_t> then) = 0;
  // Takes one message out of a mailbox: neither delivered nor missed. False: it is not there any
  // more, or every live client has acknowledged it.
  virtual void retract(std::string_view user, const Cursor& message, Then<bool> then) = 0;
  // False: there was no mailbox, nor anything in its place.
  virtual void remove(std::string_view user, Then<bool> then) = 0;

  // Makes a text message of a raw element, any bytes that were put into the list by hand. The
  // caller has already taken it out of the list.
  virtual void adopt(std::string_view user, std::string_view raw, Then<Pushed> then) = 0;
  // Adopts the raw elements among the first 16 of the list, in their order. Each is adopted in the
  // same step that takes it out: whatever happens, it is in the list or is a message.
  virtual void adopt_all(std::string_view user, Then<bool> then) = 0;
};

}  // namespace letterbox
