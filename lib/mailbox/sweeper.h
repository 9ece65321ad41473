// SPDX-License-Identifier: MIT
//
// Removes users whose time online is over, and delivers presence events (a user comes or goes): in
// their order, each at least once. A program has one; for the thread of its loop alone. If several
// programs have one, the store lets one of them at a time deliver.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "mailbox/presence.h"

namespace letterbox {

class Sweeper {
 public:
  // Sends an event to its recipient, and calls `then` with whether it was taken.
  using Deliver = std::function<void(std::string_view type, std::string_view data_json,
                                     Callback<void(bool taken)> then)>;

  struct Figures {
    Counter gone;       // users removed
    Counter delivered;  // events
    Gauge waiting;      // events not yet delivered
  };

  // Without `deliver` no events are delivered. REQUIRES: the loop has ended before the destructor
  // runs.
  Sweeper(Loop& loop, PresenceStore& store, Deliver deliver);

  // Sweeps from now on.
  void start() { look(); }

  // Any thread.
  const Figures& figures() const { return figures_; }

 private:
  struct Round;

  void look();
  void look_in(uint64_t ms);
  void swept(const PresenceStore::Swept& swept);
  void deliver(const std::string& event, Callback<void(bool taken)> then) const;
  void settle(const Round& round);

  Loop& loop_;
  PresenceStore& store_;
  const Deliver deliver_;
  Figures figures_;
};

}  // namespace letterbox
