// SPDX-License-Identifier: MIT
//
// The private face of a program: back ends push here, administrators look at mailboxes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "handlers/push.h"
#include "handlers/push_guard.h"
#include "mailbox/sweeper.h"
#include "program.h"

namespace letterbox {

// What is read from files and may be wrong, and the rules of a push.
struct PushSettings {
  PushRules rules;
  std::vector<std::string> keys;
};
Result<PushSettings, std::string> push_settings(const Config& config);

class PushFace {
 public:
  // Between the program's open() and its run(): each worker's private front gets its routes.
  PushFace(Program& program, PushSettings settings);
  // REQUIRES: the program has run.
  ~PushFace();
  PushFace(const PushFace&) = delete;
  PushFace& operator=(const PushFace&) = delete;

  const Sweeper& sweeper() const { return *sweeper_; }

 private:
  PushGuard guard_;
  std::unique_ptr<Sweeper> sweeper_;
};

}  // namespace letterbox
