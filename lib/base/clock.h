// SPDX-License-Identifier: MIT
//
// The time, by two clocks. The wall clock stamps messages and is compared with what other hosts
// wrote. The steady clock measures waits and never jumps. An interface, so that tests control the
// time. Any thread may call it.
#pragma once

#include <cstdint>
#include <ctime>

namespace letterbox {

class Clock {
 public:
  virtual ~Clock() = default;

  // Milliseconds since 1970-01-01 UTC.
  virtual uint64_t wall_ms() const = 0;

  // Milliseconds since an arbitrary moment.
  virtual uint64_t steady_ms() const = 0;

  // The steady clock in microseconds, to measure how long something took.
  virtual uint64_t steady_us() const { return steady_ms() * 1000; }
};

class SystemClock final : public Clock {
 public:
  uint64_t wall_ms() const override { return read_us(CLOCK_REALTIME) / 1000; }
  uint64_t steady_ms() const override { return read_us(CLOCK_MONOTONIC) / 1000; }
  uint64_t steady_us() const override { return read_us(CLOCK_MONOTONIC); }

 private:
  static uint64_t read_us(clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000 + static_cast<uint64_t>(t.tv_nsec) / 1000;
  }
};

// One instant, by both clocks.
struct Instant {
  explicit Instant(const Clock& clock) : wall_ms(clock.wall_ms()), steady_ms(clock.steady_ms()) {}

  // What the wall clock will show at a steady time, as far as is known now.
  uint64_t wall(uint64_t steady) const { return wall_ms + steady - steady_ms; }

  uint64_t wall_ms;
  uint64_t steady_ms;
};

}  // namespace letterbox
