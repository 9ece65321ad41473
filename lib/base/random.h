// SPDX-License-Identifier: MIT
//
// Random numbers, to spread things in time. Not for secrets.
#pragma once

#include <cstdint>
#include <random>

namespace letterbox {

// A number from 0 to `below` - 1. REQUIRES: below > 0. Any thread.
inline uint64_t random_below(uint64_t below) {
  thread_local std::minstd_rand engine{std::random_device{}()};
  return std::uniform_int_distribution<uint64_t>(0, below - 1)(engine);
}

}  // namespace letterbox
