// SPDX-License-Identifier: MIT
//
// Presence, which users are online: letterbox-poll notes its clients, letterbox-push answers
// questions about them and removes users that have left. An interface, so that tests have a store
// of their own; RedisPresence is the real one.
//
// A PresenceStore belongs to one worker. Callbacks come on that worker's thread, once each,
// possibly before the call returns. The only error is Code::store_unavailable: it is then unknown
// whether the call was carried out. Times are the wall clock's, in ms.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "model/error.h"

namespace letterbox {

// How long a client that polls every `pace_ms` counts as online after a poll: while that poll may
// be parked, and half as long again for the next one to come; a second at least.
inline uint64_t online_ms(uint64_t pace_ms) { return std::max<uint64_t>(1000, pace_ms * 3 / 2); }

struct PresentClient {
  std::string name;
  uint64_t last_ms = 0;   // when the client polled last, or a little earlier
  uint64_t until_ms = 0;  // when the client counts as gone, unless it polls again
  // Of the client's last poll: any bytes when it is noted, UTF-8 when it is read back.
  std::string address;
  std::string agent;
};

struct PresentUser {
  std::string name;
  uint64_t until_ms = 0;               // when the user goes offline; 0: is offline
  uint64_t last_ms = 0;                // the last poll of any of the clients; 0: unknown
  std::vector<PresentClient> clients;  // that have not gone
};

struct PresenceQuestion {
  std::string prefix = {};  // only names that begin so
  std::string after = {};   // only names behind this one; empty: from the first
  size_t limit = 0;
};

struct PresencePage {
  size_t online = 0;               // users in all
  std::vector<PresentUser> users;  // in the order of their names
  std::string next;                // `after` of the next page; empty: this page is the last
};

// A user has come or gone. In Redis: `online TIME USER` or `offline TIME USER`.
struct PresenceEvent {
  bool online = false;
  uint64_t time_ms = 0;
  std::string_view user;  // points into the text that was parsed
};
std::optional<PresenceEvent> parse_presence_event(std::string_view text);

class PresenceStore {
 public:
  template <class T>
  using Then = Callback<void(Or<T>)>;

  struct Note {
    std::string user;
    PresentClient client;
  };
  struct Swept {
    size_t gone = 0;                  // users that this sweep has removed
    size_t waiting = 0;               // events not yet delivered
    std::vector<std::string> events;  // the oldest of those, for the caller to deliver
  };

  virtual ~PresenceStore() = default;

  // Notes these clients as online. A user who was offline comes online, which is an event.
  virtual void note(std::span<const Note> notes, Then<bool> then) = 0;
  // Changes when the store comes back after an absence, in which it may have lost notes.
  virtual uint64_t absences() const = 0;

  // A page of the users online now.
  virtual void page(const PresenceQuestion& question, Then<PresencePage> then) = 0;
  // One user, online or not.
  virtual void user(std::string_view name, Then<PresentUser> then) = 0;

  // Removes users whose time is over, a limited number at a time. Each is an event, if events are
  // wanted. Of all programs that sweep, only one at a time is given events.
  virtual void sweep(Then<Swept> then) = 0;
  // Removes events that have been delivered.
  virtual void settle(std::span<const std::string> events, Then<bool> then) = 0;
};

}  // namespace letterbox
