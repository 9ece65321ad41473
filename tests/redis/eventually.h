// SPDX-License-Identifier: MIT
//
// Waiting for a condition, with a deadline that only a failure reaches.
#pragma once

#include <chrono>
#include <thread>

namespace letterbox::test {

inline constexpr std::chrono::seconds kDeadline{10};

// Whether `condition` came true. It is tried again and again.
template <class Condition>
[[nodiscard]] bool eventually(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace letterbox::test
