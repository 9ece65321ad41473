// SPDX-License-Identifier: MIT
//
// Tokens and standings in Redis. KEYS.md describes the keys; the steps are .lua files of this
// folder. For one worker's thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mailbox/access.h"
#include "redis/redis.h"

namespace letterbox {

class RedisAccess final : public Access {
 public:
  // `signed_life_ms`: the longest life of a signed token, and so the time for which a kick or a
  // revocation must be remembered.
  RedisAccess(Redis& redis, const Clock& clock, uint64_t signed_life_ms);

  void admit(const Claim& claim, std::string_view address, Then<Admission> then) override;
  void issue(std::string_view user, std::string_view hash, const Token& token, size_t most,
             Then<bool> then) override;
  void tokens(std::string_view user, Then<std::vector<Token>> then) override;
  void revoke(std::string_view user, std::string_view id, Then<uint64_t> then) override;
  void standing(std::string_view user, Then<Standing> then) override;
  void any_stands(std::span<const std::string> users, Then<bool> then) override;
  void lock(std::string_view user, std::string_view reason, Then<bool> then) override;
  void unlock(std::string_view user, Then<bool> then) override;
  void kick(std::string_view user, std::string_view reason, uint64_t for_ms,
            Then<bool> then) override;

 private:
  void stand(std::string_view user, std::string_view field, std::string_view value,
             Then<bool> then);

  Redis& redis_;
  const Clock& clock_;
  const uint64_t signed_life_ms_;
};

}  // namespace letterbox
