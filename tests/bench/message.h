// SPDX-License-Identifier: MIT
//
// A message: a line of text with its user, its number among that user's messages, and the moment
// when its push was written. So every arrival can be checked, and timed, by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace letterbox::bench {

inline constexpr size_t kMessageBytes = 100;

struct Message {
  std::string_view user;
  uint32_t number = 0;  // 1, 2, 3 … for this user
  int64_t written = 0;  // ns, now_ns() of the moment its push was written
};

/// Appends exactly kMessageBytes bytes, none of which needs an escape in JSON or HTTP.
void append_message(std::string& out, const Message& message);

/// Nothing if it is no message of this benchmark, byte for byte.
std::optional<Message> read_message(std::string_view text);

}  // namespace letterbox::bench
