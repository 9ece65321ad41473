// SPDX-License-Identifier: MIT
//
// Erases a user: the mailbox, tokens, standing, presence, scheduled messages, and the memberships
// of groups. An interface, so that tests have one of their own; RedisEraser is the real one.
//
// An Eraser belongs to one worker. Callbacks come on that worker's thread, once each. After an
// error a part may have been erased: the same call again erases the rest.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "mailbox/group_adoption.h"
#include "mailbox/redis_presence.h"
#include "mailbox/store.h"
#include "model/error.h"
#include "redis/redis.h"

namespace letterbox {

// What there was of a user.
struct Erased {
  uint64_t messages = 0;
  uint64_t tokens = 0;  // that were valid
  uint64_t scheduled = 0;
  std::vector<std::string> groups;
  bool standing = false;  // a lock or a kick
  bool presence = false;  // the user was online
};

class Eraser {
 public:
  using Then = Callback<void(Or<Erased>)>;

  virtual ~Eraser() = default;

  virtual void erase(std::string_view user, Then then) = 0;
};

class RedisEraser final : public Eraser {
 public:
  // `store` and `redis` are the worker's. `signed_life_ms`: how long a signed token may live.
  RedisEraser(Redis& redis, Store& store, const Clock& clock, uint64_t signed_life_ms,
              const PresenceRules& presence);

  void erase(std::string_view user, Then then) override;

 private:
  struct Work;

  void leave_groups(const std::shared_ptr<Work>& work, const std::string& begin);
  void empty_mailbox(const std::shared_ptr<Work>& work);

  Redis& redis_;
  Store& store_;
  const Clock& clock_;
  const uint64_t signed_life_ms_;
  const PresenceRules presence_;
  GroupAdoption adoption_;
};

}  // namespace letterbox
