// SPDX-License-Identifier: MIT
//
// The Idempotency-Keys in a cluster: each is in the part that its hash names. For one worker's
// thread.
#pragma once

#include <utility>
#include <vector>

#include "mailbox/idempotency.h"
#include "mailbox/parted.h"

namespace letterbox {

class PartedIdempotencyKeys final : public IdempotencyKeys {
 public:
  explicit PartedIdempotencyKeys(std::vector<IdempotencyKeys*> parts) : parts_(std::move(parts)) {}

  void claim(const KeyUse& use, Then<KeyClaim> then) override {
    parts_.of(use.key).claim(use, std::move(then));
  }
  void keep(const KeyUse& use, const KeyClaim::Answer& answer) override {
    parts_.of(use.key).keep(use, answer);
  }

 private:
  const Parts<IdempotencyKeys> parts_;
};

}  // namespace letterbox
