// SPDX-License-Identifier: MIT
//
// What travels: a line of text that says whose it is, which of his messages it is, and when its
// push was written. So every arrival can be checked, and timed, by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace letterbox::bench {

inline constexpr size_t kMessageBytes = 100;

struct Message {
  std::string_view user;
  uint32_t number = 0;  // 1, 2, 3 … of this user
  int64_t written = 0;  // ns, now_ns() of the moment its push was written
};

/// Appends exactly kMessageBytes bytes, none of which JSON or HTTP would have to escape.
void append_message(std::string& out, const Message& message);

/// Nothing where it is no message of this benchmark, byte for byte.
std::optional<Message> read_message(std::string_view text);

}  // namespace letterbox::bench
