// SPDX-License-Identifier: MIT
//
// The private face of a program: back ends push here, administrators look at mailboxes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "handlers/push.h"
#include "mailbox/scheduler.h"
#include "mailbox/sweeper.h"
#include "program.h"
#include "requests/push_guard.h"
#include "webhook.h"

namespace letterbox {

// What is read from files and may be wrong, and the rules of a push.
struct PushSettings {
  PushRules rules;
  std::vector<PushKey> keys;
  std::optional<WebhookSettings> webhook;
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

  // Begins no further post to the webhook.
  void close();

  const Sweeper& sweeper() const { return *sweeper_; }
  const PushGuard& guard() const { return guard_; }
  const Scheduler& scheduler() const { return *scheduler_; }
  // Any thread.
  const Webhook::Figures& webhook() const { return webhook_figures_; }

 private:
  PushGuard guard_;
  std::unique_ptr<Sweeper> sweeper_;
  std::unique_ptr<Scheduler> scheduler_;
  Webhook::Figures webhook_figures_;
  std::optional<Webhook> webhook_;  // none without --webhook
};

}  // namespace letterbox
