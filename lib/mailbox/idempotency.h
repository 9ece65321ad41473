// SPDX-License-Identifier: MIT
//
// The Idempotency-Keys that back ends have used: with which content, and which answer is kept. An
// interface, so that tests have one of their own; RedisIdempotencyKeys is the real one.
//
// A key only tells content apart. That nothing is pushed twice is done by the records of push.lua,
// one for each recipient, in the step that pushes. An answer is kept if its recipients can't be
// found out again: those of a group, or of everybody online.
//
// The objects belong to one worker. Callbacks come on that worker's thread, once each, possibly
// before the call returns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/callback.h"
#include "model/error.h"
#include "redis/redis.h"

namespace letterbox {

// One use of a key. Both are hashes: of the key, and of everything that is pushed with it.
struct KeyUse {
  std::string key;
  std::string content;

  // What a sender wrote. `parts` are what is pushed, in a fixed order.
  static KeyUse of(std::string_view key, std::initializer_list<std::string_view> parts);
  // The name of the record of the message `index` of a call that uses the key: PushOptions.
  std::string record(size_t index) const;
};

struct KeyClaim {
  struct Answer {
    int status = 0;
    std::string body;
  };
  bool other_content = false;  // the key was used before, with other content
  std::optional<Answer> kept;
};

class IdempotencyKeys {
 public:
  template <class T>
  using Then = Callback<void(Or<T>)>;

  virtual ~IdempotencyKeys() = default;

  virtual void claim(const KeyUse& use, Then<KeyClaim> then) = 0;
  // Keeps the answer for as long as the key is known. It may get lost.
  virtual void keep(const KeyUse& use, const KeyClaim::Answer& answer) = 0;
};

class RedisIdempotencyKeys final : public IdempotencyKeys {
 public:
  // `life_ms`: how long a key is known after it was first used.
  RedisIdempotencyKeys(Redis& redis, uint64_t life_ms);

  void claim(const KeyUse& use, Then<KeyClaim> then) override;
  void keep(const KeyUse& use, const KeyClaim::Answer& answer) override;

 private:
  Redis& redis_;
  const std::string life_;
};

}  // namespace letterbox
