// SPDX-License-Identifier: MIT
//
// GET /healthz and GET /readyz tell whether this program lives, and whether it can do its work.
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
  // Calls back on this worker's loop, with the same value as WriteProbe::ask.
  using Probe = std::function<void(WriteProbe::Then)>;

  // One a worker. `loop` is that worker's; `all` are the loops of all workers. `ending` becomes
  // true when the program is told to end. The arguments must outlive the handler.
  HealthHandler(Loop& loop, std::vector<Loop*> all, Probe probe, const std::atomic<bool>& ending,
                std::string_view program);

  // Asks every worker's loop for a sign of life. A program with a loop that hangs is not healthy.
  void healthz(Answer answer);
  // Tries a write to Redis. A program that is ending is not ready.
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
