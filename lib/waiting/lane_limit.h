// SPDX-License-Identifier: MIT
//
// How many lanes may be open. At first as many as the settings allow. Once Redis had no connection
// for a lane (its `maxclients`), the limit drops somewhat below what Redis takes, so that other
// programs can still log in. Later one more lane is tried now and then, for Redis may have room
// again. A plain value, guarded by its owner; times are steady, in milliseconds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace letterbox {

class LaneLimit {
 public:
  // How long after the first refusal the lanes that are up are counted. Hundreds of other attempts
  // may be on their way until then.
  static constexpr uint64_t kSettleMs = 1000;
  static constexpr uint64_t kTryAgainMs = 60'000;
  // How soon the next lane is tried after one came up.
  static constexpr uint64_t kTryOnMs = 1000;
  // One lane in eight, and at least one, is closed, so that Redis has connections for others.
  static constexpr size_t kGivenBack = 8;

  explicit LaneLimit(size_t most) : most_(most), allowed_(most) {}

  // Whether one more lane may be opened. `open` is the number of open lanes.
  bool one_more(size_t open, uint64_t now) {
    if (open == 0 || open < allowed_) return true;
    if (open >= most_ || settling_ || now < next_try_ms_) return false;
    allowed_ = open + 1;
    next_try_ms_ = now + kTryAgainMs;
    return true;
  }

  // Redis had no connection for a lane. True: the caller must call settle() in kSettleMs.
  [[nodiscard]] bool refused() {
    allowed_ = 0;
    next_try_ms_ = kNever;
    return !std::exchange(settling_, true);
  }

  // `up` lanes are up. Returns how many of them must be closed.
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
