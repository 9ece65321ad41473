// SPDX-License-Identifier: MIT
//
// Mailboxes in Redis. KEYS.md describes the keys; the steps are .lua files of this folder. For one
// worker's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "mailbox/keys.h"
#include "mailbox/mailbox_limits.h"
#include "mailbox/redis_pushes.h"
#include "mailbox/replicas.h"
#include "mailbox/store.h"
#include "redis/redis.h"

namespace letterbox {

class RedisStore final : public Store {
 public:
  // `program` names this program among all that watch mailboxes: keys.h.
  RedisStore(Redis& redis, const Clock& clock, const MailboxLimits& limits,
             std::string_view program);

  // The pushes on their way. The program tells them here whether it watches mailboxes itself.
  RedisPushes& pushes() { return pushes_; }
  const RedisPushes& pushes() const { return pushes_; }
  // The program says here how many replicas must confirm a push.
  Replicas& replicas() { return replicas_; }

  void push_each(std::span<const std::string_view> users, std::string_view element,
                 const PushOptions& options, ThenEach then) override;
  void read(const ReadRequest& request, Then<Reading> then) override;
  void peek(std::span<const Parked> clients, bool lists, Then<Glimpses> then) override;
  void acknowledge(std::string_view user, std::string_view client, const Cursor& after,
                   uint64_t park_until, Then<bool> then) override;
  void view(std::string_view user, const Window& window, Then<MailboxView> then) override;
  void unread(std::string_view user, std::string_view client, Then<uint64_t> then) override;
  void retract(std::string_view user, const Cursor& message, Then<bool> then) override;
  void remove(std::string_view user, Then<bool> then) override;
  void adopt(std::string_view user, std::string_view raw, Then<Pushed> then) override;
  void adopt_all(std::string_view user, Then<bool> then) override;

 private:
  Redis& redis_;
  const Clock& clock_;
  // REQUIRES: the user is in the part of this Redis.
  MailboxKeys keys_of(std::string_view user) const;
  void note(const ReadRequest& request, Then<Reading> then);
  void adopt_each(const std::string& user, std::deque<std::string> raws, Then<bool> then);
  void read_all(const ReadRequest& request, uint64_t now, Then<Reading> then);

  const MailboxLimits limits_;
  const std::string watcher_;
  Replicas replicas_;
  RedisPushes pushes_;
};

}  // namespace letterbox
