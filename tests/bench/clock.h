// SPDX-License-Identifier: MIT
//
// The one clock of the benchmark: nanoseconds since an arbitrary moment, never set back.
#pragma once

#include <cstdint>
#include <ctime>
#include <limits>

namespace letterbox::bench {

inline constexpr int64_t kMicrosecond = 1'000;
inline constexpr int64_t kMillisecond = 1'000'000;
inline constexpr int64_t kSecond = 1'000'000'000;
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

inline int64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}

inline int64_t seconds_ns(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

}  // namespace letterbox::bench
