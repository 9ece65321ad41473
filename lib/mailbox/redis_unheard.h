// SPDX-License-Identifier: MIT
//
// What Redis holds for the webhook. push.lua notes each message as it is pushed. For the thread of
// the connection's loop alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mailbox/unheard.h"
#include "redis/redis.h"

namespace letterbox {

// None if `text` is no entry that was leased.
std::optional<UnheardEntry> parse_unheard(std::string_view text);

class RedisUnheard final : public Unheard {
 public:
  // REQUIRES: both outlive this object.
  RedisUnheard(Redis& redis, const Clock& clock) : redis_(redis), clock_(clock) {}

  void lease(size_t most, Then<Leased> then) override;
  void look(const UnheardEntry& entry, Then<std::optional<std::string>> then) override;
  void remove(const UnheardEntry& entry) override;
  void put_off(const UnheardEntry& entry, uint64_t ms) override;

 private:
  Redis& redis_;
  const Clock& clock_;
};

}  // namespace letterbox
