// SPDX-License-Identifier: MIT
//
// Calls on streams now and then, each as often as the others: so they stand in a line, and whoever
// was called goes to its end. A worker has one; for the thread of its loop alone.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "base/loop.h"

namespace letterbox {

// Whoever is called on. False: it has ended.
class Pinged {
 public:
  virtual ~Pinged() = default;
  virtual bool ping() = 0;
};

class Pinger {
 public:
  // REQUIRES: the loop has ended before this does.
  Pinger(Loop& loop, uint64_t every_ms) : loop_(loop), every_ms_(every_ms) {}

  void add(std::weak_ptr<Pinged> who);
  size_t size() const { return line_.size(); }
  uint64_t every_ms() const { return every_ms_; }

 private:
  void wake(uint64_t at_ms);
  void call();

  Loop& loop_;
  const uint64_t every_ms_;
  // Steady ms, the earliest first.
  std::deque<std::pair<uint64_t, std::weak_ptr<Pinged>>> line_;
  std::optional<Loop::Timer> timer_;
};

}  // namespace letterbox
