// SPDX-License-Identifier: MIT
//
// Who is online, in Redis: KEYS.md says which keys, the .lua files which steps. For one worker's
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "mailbox/presence.h"
#include "redis/connection.h"
#include "redis/figures.h"

namespace letterbox {

struct PresenceRules {
  bool events = false;            // somebody wants to hear who comes and goes
  size_t clients = 100;           // of one user
  size_t events_kept = 100'000;   // until they are delivered; the oldest go first
  size_t events_at_once = 100;    // given out by one sweep
  size_t users_at_once = 200;     // taken out by one sweep
  uint64_t turn_ms = 3000;        // how long another sweeper waits for one that is silent
  uint64_t life_ms = 86'400'000;  // of what is in Redis, after the last note
};

class RedisPresence final : public PresenceStore {
 public:
  // `figures` are those of the connection. `sweeper` names this program among those that sweep.
  RedisPresence(RedisConnection& redis, const RedisFigures& figures, const Clock& clock, Log& log,
                const PresenceRules& rules, std::string sweeper);

  void note(std::span<const Note> notes, Then<bool> then) override;
  uint64_t absences() const override { return figures_.reconnects.value(); }
  void page(const PresenceQuestion& question, Then<PresencePage> then) override;
  void user(std::string_view name, Then<PresentUser> then) override;
  void sweep(Then<Swept> then) override;
  void settle(std::span<const std::string> events, Then<bool> then) override;

 private:
  void fetch(const std::vector<std::string>& names, const Then<std::vector<PresentUser>>& then);
  void tell_dropped(const Reply& dropped);

  RedisConnection& redis_;
  const RedisFigures& figures_;
  const Clock& clock_;
  Log& log_;
  const PresenceRules rules_;
  const std::string sweeper_;

  uint64_t quiet_until_ms_ = 0;  // of dropped events nothing is said before; steady
};

}  // namespace letterbox
