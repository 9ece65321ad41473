// SPDX-License-Identifier: MIT
//
// Access in a cluster: a user's tokens and standing are in the user's part. For one worker's
// thread.
#pragma once

#include <utility>
#include <vector>

#include "mailbox/access.h"
#include "mailbox/parted.h"

namespace letterbox {

class PartedAccess final : public Access {
 public:
  explicit PartedAccess(std::vector<Access*> parts) : parts_(std::move(parts)) {}

  void admit(const Claim& claim, std::string_view address, Then<Admission> then) override {
    parts_.of(claim.user).admit(claim, address, std::move(then));
  }
  void issue(std::string_view user, std::string_view hash, const Token& token, size_t most,
             Then<bool> then) override {
    parts_.of(user).issue(user, hash, token, most, std::move(then));
  }
  void tokens(std::string_view user, Then<std::vector<Token>> then) override {
    parts_.of(user).tokens(user, std::move(then));
  }
  void revoke(std::string_view user, std::string_view id, Then<uint64_t> then) override {
    parts_.of(user).revoke(user, id, std::move(then));
  }
  void standing(std::string_view user, Then<Standing> then) override {
    parts_.of(user).standing(user, std::move(then));
  }
  // A part that is away counts as one that has a standing, if another part answers: the caller then
  // looks at each user, and is told of those whose node stands.
  void any_stands(std::span<const std::string> users, Then<bool> then) override;
  void lock(std::string_view user, std::string_view reason, Then<bool> then) override {
    parts_.of(user).lock(user, reason, std::move(then));
  }
  void unlock(std::string_view user, Then<bool> then) override {
    parts_.of(user).unlock(user, std::move(then));
  }
  void kick(std::string_view user, std::string_view reason, uint64_t for_ms,
            Then<bool> then) override {
    parts_.of(user).kick(user, reason, for_ms, std::move(then));
  }

 private:
  const Parts<Access> parts_;
};

}  // namespace letterbox
