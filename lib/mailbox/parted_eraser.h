// SPDX-License-Identifier: MIT
//
// Erases a user of a cluster: everything that there is of a user is in the user's part. For one
// worker's thread.
#pragma once

#include <utility>
#include <vector>

#include "mailbox/eraser.h"
#include "mailbox/parted.h"

namespace letterbox {

class PartedEraser final : public Eraser {
 public:
  explicit PartedEraser(std::vector<Eraser*> parts) : parts_(std::move(parts)) {}

  void erase(std::string_view user, Then then) override {
    parts_.of(user).erase(user, std::move(then));
  }

 private:
  const Parts<Eraser> parts_;
};

}  // namespace letterbox
