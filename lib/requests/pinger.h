// SPDX-License-Identifier: MIT
//
// Pings each stream of a worker every `every_ms`. The interval is the same for all streams, so they
// stand in a line: a stream that was pinged goes to the end. A worker has one pinger; for the
// thread of its loop only.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "base/loop.h"

namespace letterbox {

// An object that is pinged. ping() returns false if the object has ended.
class Pinged {
 public:
  virtual ~Pinged() = default;
  virtual bool ping() = 0;
};

class Pinger {
 public:
  // REQUIRES: the loop has ended before the destructor runs.
  Pinger(Loop& loop, uint64_t every_ms) : loop_(loop), every_ms_(every_ms) {}

  void add(std::weak_ptr<Pinged> who);
  size_t size() const { return line_.size(); }
  uint64_t every_ms() const { return every_ms_; }

 private:
  void wake(uint64_t at_ms);
  void call();

  Loop& loop_;
  const uint64_t every_ms_;
  // The time of the next ping (steady ms), the earliest first.
  std::deque<std::pair<uint64_t, std::weak_ptr<Pinged>>> line_;
  std::optional<Loop::Timer> timer_;
};

}  // namespace letterbox
