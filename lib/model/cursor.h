// SPDX-License-Identifier: MIT
//
// The id of a message, and at the same time how far a client has read: everything up to here.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace letterbox {

// `epoch` is the millisecond in which the mailbox was made, `seq` counts its messages from 1 on
// without holes. {0, 0} stands before any message of any mailbox and is written "0".
struct Cursor {
  uint64_t epoch = 0;
  uint64_t seq = 0;

  auto operator<=>(const Cursor&) const = default;  // NOLINT(modernize-use-nullptr): mistaken

  // "EPOCH-SEQ", or "0".
  std::string text() const;
  void append_to(std::string& out) const;

  // Only what text() could have written, and "0-0". Neither part may be longer than 15 digits, so
  // that the doubles of Lua hold it exactly.
  static std::optional<Cursor> parse(std::string_view text);
};

}  // namespace letterbox
