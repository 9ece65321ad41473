// SPDX-License-Identifier: MIT
//
// The clients of a server, as every case needs them: a loop, a ledger and an audience that has come
// and is parked.
#pragma once

#include "audience.h"
#include "cases.h"
#include "clock.h"
#include "event_loop.h"
#include "http.h"
#include "ledger.h"

namespace letterbox::bench {

class Crowd {
 public:
  /// `source`: see HttpConnection.
  Crowd(Run& run, unsigned clients, uint8_t source = 1);

  /// /// Returns when all polls have been written and the servers have come to rest: the polls are
  /// parked then. Throws Failure if that doesn't happen.
  void park() { park(arrivals()); }
  void park(double arrivals_a_second);
  /// How many clients come a second, and how long that takes all of them, ns.
  double arrivals() const { return stack_kind(run_.stack.name()).arrivals; }
  int64_t coming() const { return seconds_ns(ledger_.users() / arrivals()); }
  /// Returns when the servers do no more work, and the polls are parked.
  void rest();
  void leave() { audience_.leave(); }

  /// /// Returns when all messages that were pushed have arrived; with servers that lose messages
  /// between two polls, also when none has arrived for a while. False: neither.
  bool await_arrivals();

  /// /// Waits for messages that are still under way, and a little longer for those that should not
  /// come. Then writes the ledger's verdict into the run's sample.
  void settle();

  EventLoop& loop() { return loop_; }
  HttpPeer& peer() { return peer_; }
  Ledger& ledger() { return ledger_; }
  Audience& audience() { return audience_; }

 private:
  Run& run_;
  EventLoop loop_;
  HttpPeer peer_;
  Ledger ledger_;
  Audience audience_;
};

}  // namespace letterbox::bench
