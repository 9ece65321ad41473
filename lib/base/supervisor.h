// SPDX-License-Identifier: MIT
//
// Tells the supervisor that started the program how it is, by the sd_notify protocol: each state is
// one datagram to the socket that $NOTIFY_SOCKET names. systemd listens there for units of
// Type=notify. Without a supervisor nothing is told. The program's main thread makes one and uses
// it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace letterbox {

class Supervisor {
 public:
  using Environment = std::function<const char*(const char*)>;

  // Nobody is told anything.
  Supervisor() = default;
  // What $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID say to the process `self`.
  Supervisor(const Environment& environment, pid_t self);

  // "READY=1", "STOPPING=1", "WATCHDOG=1". Never blocks; a supervisor that does not listen misses
  // it.
  void tell(std::string_view state) const;

  // In milliseconds: the supervisor ends a program that has not told WATCHDOG=1 for so long. 0: it
  // does not watch.
  uint64_t watchdog_ms() const { return watchdog_ms_; }

 private:
  std::string address_;  // its first byte is 0 for an abstract socket; empty: nobody listens
  Fd socket_;
  uint64_t watchdog_ms_ = 0;
};

}  // namespace letterbox
