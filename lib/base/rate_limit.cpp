// SPDX-License-Identifier: MIT
#include "base/rate_limit.h"

#include <algorithm>
#include <cassert>

namespace letterbox {
namespace {

constexpr uint64_t kOne = 1'000'000;

}  // namespace

RateLimit::RateLimit(uint64_t times_a_second) : rate_(times_a_second), saved_(rate_ * kOne) {}

uint64_t RateLimit::take(uint64_t now_us) {
  if (rate_ == 0) return 0;
  const Lock lock(mutex_);
  if (now_us > seen_us_) {
    // One second fills the allowance.
    const uint64_t passed_us = std::min(now_us - seen_us_, kOne);
    saved_ = std::min(saved_ + passed_us * rate_, rate_ * kOne);
    seen_us_ = now_us;
  }
  assert(saved_ <= rate_ * kOne);
  if (saved_ >= kOne) {
    saved_ -= kOne;
    return 0;
  }
  const uint64_t wait_us = (kOne - saved_ + rate_ - 1) / rate_;
  assert(wait_us > 0);
  return (wait_us + 999) / 1000;
}

}  // namespace letterbox
