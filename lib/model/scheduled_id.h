// SPDX-License-Identifier: MIT
//
// The id of a message that is to be pushed later: `alice.1a1ff7b9eeb0f3c2`. The first 11 of its 16
// hexadecimal digits are the millisecond at which it is due, so the ids of one user are in the
// order of time, as texts too. The other five tell apart what is due in the same millisecond. Pure,
// for any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace letterbox {

// How many messages of one user can be due in the same millisecond.
inline constexpr uint32_t kIdsOfMillisecond = 1U << 20;

struct ScheduledId {
  std::string user;
  uint64_t at_ms = 0;
  uint32_t number = 0;  // less than kIdsOfMillisecond

  std::string text() const;

  // None if it is no such id.
  static std::optional<ScheduledId> parse(std::string_view text);

  bool operator==(const ScheduledId&) const = default;
};

}  // namespace letterbox
