// SPDX-License-Identifier: MIT
//
// A clock that stands still until the test lets time pass. Its two times begin far apart, so that
// one taken for the other is noticed. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace letterbox::test {

class FakeClock final : public Clock {
 public:
  uint64_t wall_ms() const override { return kWallMs + passed_; }
  uint64_t steady_ms() const override { return kSteadyMs + passed_; }
  void pass(uint64_t ms) { passed_ += ms; }

 private:
  static constexpr uint64_t kWallMs = 1'795'287'654'123;
  static constexpr uint64_t kSteadyMs = 5'000'000;

  std::atomic<uint64_t> passed_{0};
};

}  // namespace letterbox::test
