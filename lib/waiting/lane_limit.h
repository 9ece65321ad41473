// SPDX-License-Identifier: MIT
//
// How many lanes there may be: as many as the settings allow, or, once Redis had no connection for
// one (its `maxclients`), somewhat fewer than it takes, so that others can still log in. Now and
// then one more is tried, for room may come back. A plain value, guarded by whoever owns it; times
// are steady, in milliseconds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace letterbox {

class LaneLimit {
 public:
  // How long after the first refusal the others are counted: hundreds may have been on their way.
  static constexpr uint64_t kSettleMs = 1000;
  static constexpr uint64_t kTryAgainMs = 60'000;
  // How soon another one is tried after one that came up.
  static constexpr uint64_t kTryOnMs = 1000;
  // One of so many lanes, and one at least, is given back to Redis for others.
  static constexpr size_t kGivenBack = 8;

  explicit LaneLimit(size_t most) : most_(most), allowed_(most) {}

  // Whether one more may be opened beside those that are open.
  bool one_more(size_t open, uint64_t now) {
    if (open == 0 || open < allowed_) return true;
    if (open >= most_ || settling_ || now < next_try_ms_) return false;
    allowed_ = open + 1;
    next_try_ms_ = now + kTryAgainMs;
    return true;
  }

  // Redis had no connection for one. True: settle() is to be called in kSettleMs.
  [[nodiscard]] bool refused() {
    allowed_ = 0;
    next_try_ms_ = kNever;
    return !std::exchange(settling_, true);
  }

  // So many lanes are up: how many of them are to be closed.
  size_t settle(size_t up, uint64_t now) {
    settling_ = false;
    const size_t closing = up < 2 ? 0 : std::max<size_t>(up / kGivenBack, 1);
    allowed_ = up - closing;
    next_try_ms_ = now + kTryAgainMs;
    return closing;
  }

  void came_up(uint64_t now) {
    if (!settling_ && allowed_ < most_) next_try_ms_ = std::min(next_try_ms_, now + kTryOnMs);
  }

 private:
  static constexpr uint64_t kNever = UINT64_MAX;

  const size_t most_;
  size_t allowed_;
  bool settling_ = false;
  uint64_t next_try_ms_ = kNever;
};

}  // namespace letterbox
