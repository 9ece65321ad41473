// SPDX-License-Identifier: MIT
//
// How often something may be done: so many times a second, and as many at once after a second in
// which it was not done at all. For all threads.
#pragma once

#include <cstdint>

#include "base/sync.h"

namespace letterbox {

class RateLimit {
 public:
  // 0: as often as one likes.
  explicit RateLimit(uint64_t times_a_second);

  // Whether it may be done now, which then counts: 0. Else after how many milliseconds it may.
  // `now_us` is of a clock that never goes back, and need not be the same in every thread.
  uint64_t take(uint64_t now_us) EXCLUDES(mutex_);

 private:
  const uint64_t rate_;
  Mutex mutex_;
  uint64_t saved_ GUARDED_BY(mutex_);  // in millionths: each microsecond adds rate_
  uint64_t seen_us_ GUARDED_BY(mutex_) = 0;
};

}  // namespace letterbox
