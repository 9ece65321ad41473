// SPDX-License-Identifier: MIT
//
// GET /healthz and GET /readyz: whether this program lives, and whether it can do its work.
// fcgi/PROTOCOL.md.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "fastcgi/answer.h"
#include "mailbox/probe.h"

namespace letterbox {

class HealthHandler {
 public:
  // Calls back, on this worker's loop, with what WriteProbe::ask does.
  using Probe = std::function<void(WriteProbe::Then)>;

  // One a worker. `loop` is that worker's, `all` are those of all workers; `ending` is true from
  // the moment on at which the program is told to end. What is named here must outlive the handler.
  HealthHandler(Loop& loop, std::vector<Loop*> all, Probe probe, const std::atomic<bool>& ending,
                std::string_view program);

  // Asks every worker's loop for a sign of life: one that hangs is no healthy one.
  void healthz(Answer answer);
  // Writes to Redis.
  void readyz(Answer answer) const;

 private:
  struct RollCall;

  Loop& loop_;
  const std::vector<Loop*> all_;
  const Probe probe_;
  const std::atomic<bool>& ending_;
  const std::string_view program_;
};

}  // namespace letterbox
