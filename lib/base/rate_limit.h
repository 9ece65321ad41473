// SPDX-License-Identifier: MIT
//
// Limits how often something is done: `times_a_second`, and that many times at once after a second
// without any. For all threads.
#pragma once

#include <cstdint>

#include "base/sync.h"

namespace letterbox {

class RateLimit {
 public:
  // 0: no limit.
  explicit RateLimit(uint64_t times_a_second);

  // 0: it may be done now, and is counted. Otherwise after how many milliseconds it may be done.
  // `now_us` is of a clock that never goes back. It need not be the same in every thread.
  uint64_t take(uint64_t now_us) EXCLUDES(mutex_);

 private:
  const uint64_t rate_;
  Mutex mutex_;
  uint64_t saved_ GUARDED_BY(mutex_);  // the allowance, in millionths; a microsecond adds rate_
  uint64_t seen_us_ GUARDED_BY(mutex_) = 0;
};

}  // namespace letterbox
