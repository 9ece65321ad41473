// SPDX-License-Identifier: MIT
//
// Has those leave who are online no more, and delivers the events of who comes and goes: in their
// order, each at least once. One in a program; for the thread of its loop alone. Several programs
// may have one: the store lets one of them at a time deliver.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "base/metrics.h"
#include "mailbox/presence.h"

namespace letterbox {

class Sweeper {
 public:
  // Sends an event to whoever wants to hear of it, and tells whether it has been taken.
  using Deliver = std::function<void(std::string_view type, std::string_view data_json,
                                     std::function<void(bool taken)> then)>;

  struct Figures {
    Counter gone;       // users
    Counter delivered;  // events
    Gauge waiting;      // events
  };

  // Without `deliver` nobody wants to hear of it. REQUIRES: the loop has ended before this does.
  Sweeper(Loop& loop, PresenceStore& store, Deliver deliver);

  // From now on.
  void start() { look(); }

  // Any thread.
  const Figures& figures() const { return figures_; }

 private:
  struct Round;

  void look();
  void look_in(uint64_t ms);
  void swept(const PresenceStore::Swept& swept);
  void deliver(const std::string& event, std::function<void(bool taken)> then) const;
  void settle(const Round& round);

  Loop& loop_;
  PresenceStore& store_;
  const Deliver deliver_;
  Figures figures_;
};

}  // namespace letterbox
