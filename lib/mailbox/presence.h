// SPDX-License-Identifier: MIT
//
// Who is online, as the programs see it: what letterbox-poll notes of its clients, what can be
// asked about them, and what letterbox-push does as users leave. An interface, so that tests have a
// store of their own; RedisPresence is the real one.
//
// It belongs to one worker. Callbacks come on its thread, once each, possibly before the call
// returns. The only error is Code::store_unavailable: nobody knows then whether it was carried out.
// Times are the wall clock's, in ms.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/error.h"

namespace letterbox {

// How long somebody is online who comes every `pace_ms`: while a poll may be parked, and half as
// long again for the next one to come.
inline uint64_t online_ms(uint64_t pace_ms) { return std::max<uint64_t>(1000, pace_ms * 3 / 2); }

struct PresentClient {
  std::string name;
  uint64_t last_ms = 0;   // when it polled last, or a little earlier
  uint64_t until_ms = 0;  // from when on it counts as gone, unless it polls again
  // What it said of itself: any bytes where it is noted, UTF-8 where it is read.
  std::string address;
  std::string agent;
};

struct PresentUser {
  std::string name;
  uint64_t until_ms = 0;               // from when on it is offline; 0: it is
  uint64_t last_ms = 0;                // of its clients, the latest; 0: nothing is known
  std::vector<PresentClient> clients;  // that have not gone
};

struct PresenceQuestion {
  std::string prefix = {};  // of the names asked for
  std::string after = {};   // only names behind this one; empty: from the first
  size_t limit = 0;
};

struct PresencePage {
  size_t online = 0;               // users in all
  std::vector<PresentUser> users;  // in the order of their names
  std::string next;                // the last name looked at; empty: there are no further ones
};

// A user has come or gone. In Redis: `online TIME USER` or `offline TIME USER`.
struct PresenceEvent {
  bool online = false;
  uint64_t time_ms = 0;
  std::string_view user;  // of the text it was parsed from
};
std::optional<PresenceEvent> parse_presence_event(std::string_view text);

class PresenceStore {
 public:
  template <class T>
  using Then = std::function<void(Or<T>)>;

  struct Note {
    std::string user;
    PresentClient client;
  };
  struct Swept {
    size_t gone = 0;                  // users that were online, and are not any more
    size_t waiting = 0;               // events that nobody has delivered yet
    std::vector<std::string> events;  // the first of them, for the caller to deliver
  };

  virtual ~PresenceStore() = default;

  // Writes down that these are online. It is an event for a user who was not.
  virtual void note(std::span<const Note> notes, Then<bool> then) = 0;
  // Changes as the store comes back from an absence, which it may have forgotten things in.
  virtual uint64_t absences() const = 0;

  // Who is online now.
  virtual void page(const PresenceQuestion& question, Then<PresencePage> then) = 0;
  // One user, online or not.
  virtual void user(std::string_view name, Then<PresentUser> then) = 0;

  // Takes out those whose time is over, some at a time; an event each. Of all that ask, one alone
  // is given events.
  virtual void sweep(Then<Swept> then) = 0;
  // These have been delivered.
  virtual void settle(std::span<const std::string> events, Then<bool> then) = 0;
};

}  // namespace letterbox
