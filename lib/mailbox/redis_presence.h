// SPDX-License-Identifier: MIT
//
// Presence in Redis. KEYS.md describes the keys; the steps are .lua files of this folder. For one
// worker's thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "mailbox/presence.h"
#include "redis/redis.h"

namespace letterbox {

struct PresenceRules {
  bool events = false;            // presence events are wanted (--events-to)
  size_t clients = 100;           // kept a user
  size_t events_kept = 100'000;   // at most, until they are delivered; the oldest go first
  size_t events_at_once = 100;    // handed out by one sweep at most
  size_t users_at_once = 200;     // removed by one sweep at most
  uint64_t turn_ms = 3000;        // after this silence of a sweeper another one takes over
  uint64_t life_ms = 86'400'000;  // of the keys in Redis, after the last note
};

class RedisPresence final : public PresenceStore {
 public:
  // `sweeper` names this program among all that sweep.
  RedisPresence(Redis& redis, const Clock& clock, Log& log, const PresenceRules& rules,
                std::string sweeper);

  void note(std::span<const Note> notes, Then<bool> then) override;
  uint64_t absences() const override { return std::max<uint64_t>(redis_.logins(), 1) - 1; }
  void page(const PresenceQuestion& question, Then<PresencePage> then) override;
  void user(std::string_view name, Then<PresentUser> then) override;
  void sweep(Then<Swept> then) override;
  void settle(std::span<const std::string> events, Then<bool> then) override;

 private:
  void fetch(const std::vector<std::string>& names, Then<std::vector<PresentUser>> then);
  void tell_dropped(const Reply& dropped);

  Redis& redis_;
  const Clock& clock_;
  Log& log_;
  const PresenceRules rules_;
  const std::string sweeper_;

  uint64_t quiet_until_ms_ = 0;  // when dropped events may be logged again; steady
};

}  // namespace letterbox
