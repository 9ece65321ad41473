// SPDX-License-Identifier: MIT
//
// An eraser that writes down whom it is asked to erase. The test answers. For one thread.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "mailbox/eraser.h"

namespace letterbox::test {

class FakeEraser final : public Eraser {
 public:
  void erase(std::string_view user, Then then) override {
    asked.emplace_back(user, std::move(then));
  }

  std::deque<std::pair<std::string, Then>> asked;
};

}  // namespace letterbox::test
