// SPDX-License-Identifier: MIT
//
// The calendar in Redis. KEYS.md describes the keys; the steps are .lua files of this folder. For
// one worker's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "mailbox/calendar.h"
#include "mailbox/mailbox_limits.h"
#include "mailbox/replicas.h"
#include "redis/redis.h"

namespace letterbox {

class RedisCalendar final : public Calendar {
 public:
  // A user may have as many messages, and bytes of them, as a mailbox may. REQUIRES: everything
  // passed by reference outlives this object.
  RedisCalendar(Redis& redis, const Clock& clock, const MailboxLimits& limits, Replicas& replicas);

  void add_each(std::span<const std::string_view> users, std::string_view element, uint64_t at_ms,
                const PushOptions& options, ThenEach then) override;
  void view(std::string_view user, std::string_view after, size_t limit,
            Then<ScheduledPage> then) override;
  void cancel(std::string_view id, Then<bool> then) override;
  void look(size_t most, uint64_t ahead_ms, Then<Look> then) override;
  void settle(std::span<const std::string> gone, std::span<const Postponed> postponed,
              Then<bool> then) override;

 private:
  struct Adding;
  struct Looking;

  void add(const std::shared_ptr<Adding>& adding, size_t first, size_t count);
  void keep(const std::shared_ptr<Adding>& adding, size_t which, const std::string& id);
  void kept(const std::shared_ptr<Adding>& adding, size_t which, const std::string& id,
            const Reply& reply);
  void fetch(const std::shared_ptr<Looking>& looking, const Reply& found);

  Redis& redis_;
  const Clock& clock_;
  const MailboxLimits limits_;
  Replicas& replicas_;
  uint32_t next_number_;  // of an id
};

}  // namespace letterbox
