// SPDX-License-Identifier: MIT
//
// Idempotency-Keys in a map, which answer at once. For one thread.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "mailbox/idempotency.h"
#include "tests/unit/fake_store.h"

namespace letterbox::test {

class FakeIdempotencyKeys final : public IdempotencyKeys {
 public:
  void claim(const KeyUse& use, Then<KeyClaim> then) override {
    if (is_away) return then(away());
    const auto [found, is_new] = used.try_emplace(use.key, Used{use.content, {}});
    then(KeyClaim{found->second.content != use.content, found->second.kept});
  }
  void keep(const KeyUse& use, const KeyClaim::Answer& answer) override {
    used.at(use.key).kept = answer;
  }

  struct Used {
    std::string content;
    std::optional<KeyClaim::Answer> kept;
  };
  std::map<std::string, Used> used;
  bool is_away = false;
};

}  // namespace letterbox::test
