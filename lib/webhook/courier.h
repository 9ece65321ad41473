// SPDX-License-Identifier: MIT
//
// Posts the messages that nobody has acknowledged in time: each at least once, and again after a
// back-off if the receiver does not take it. The programs that serve the private face have one
// each, on a loop of its own: what Redis and the receiver do holds up no push. For that loop's
// thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "mailbox/unheard.h"
#include "webhook/poster.h"
#include "webhook/signature.h"

namespace letterbox {

class Courier {
 public:
  // Poster::post().
  using Send = std::function<void(Poster::Post, Poster::Then)>;

  struct Rules {
    std::string place;      // of the receiver, for the log
    uint64_t after_ms = 0;  // how long after its push a message counts as unheard
    size_t at_once = 16;    // posts under way
  };

  struct Figures {
    Counter taken;     // messages that the receiver has taken (2xx)
    Counter heard;     // messages that a client had acknowledged, or that were removed or expired
    Counter refused;   // messages that the receiver refuses for good (410)
    Counter failed;    // posts that failed
    Counter given_up;  // messages whose last post failed
    Counter dropped;   // messages dropped since too many waited
    Gauge waiting;     // messages that wait, in all programs, due or not
    Gauge under_way;   // messages that this program has leased and not settled
  };

  // REQUIRES: everything passed by reference outlives this object.
  Courier(Loop& loop, Unheard& unheard, const Clock& clock, Log& log, const WebhookSecrets& secrets,
          Rules rules, Figures& figures, Send send);

  // Looks for what is due from now on.
  void start() { look(); }
  // Leases nothing more. Posts that are under way go on.
  void stop() { stopped_ = true; }

 private:
  void look();
  void look_in(uint64_t ms);
  void leased(const Unheard::Leased& leased);
  void carry(const UnheardEntry& entry);
  void post(const UnheardEntry& entry, const std::string& element);
  void answered(const UnheardEntry& entry, const Poster::Outcome& outcome);
  void failed(const UnheardEntry& entry);
  void one_less();

  Loop& loop_;
  Unheard& unheard_;
  const Clock& clock_;
  Log& log_;
  const WebhookSecrets& secrets_;
  const Rules rules_;
  Figures& figures_;
  const Send send_;

  bool stopped_ = false;
  bool looking_ = false;
  bool has_more_ = false;  // the last look found as much as was asked for
  std::optional<Loop::Timer> next_look_;
  size_t under_way_ = 0;
};

}  // namespace letterbox
