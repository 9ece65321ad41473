// SPDX-License-Identifier: MIT
//
// A cursor: the id of a message, and also how far a client has read. A client at a cursor has every
// message up to that id.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace letterbox {

// `epoch` is the millisecond in which the mailbox was made, or forked (KEYS.md). `seq` counts its
// messages from 1 on, without holes. {0, 0} comes before every message of any mailbox and is
// written "0".
struct Cursor {
  uint64_t epoch = 0;
  uint64_t seq = 0;

  auto operator<=>(const Cursor&) const = default;  // NOLINT(modernize-use-nullptr): mistaken

  // "EPOCH-SEQ", or "0".
  std::string text() const;
  void append_to(std::string& out) const;

  // Takes only what text() could have written, and "0-0". Each part has at most 15 digits, so that
  // the doubles of Lua hold it exactly.
  static std::optional<Cursor> parse(std::string_view text);
};

}  // namespace letterbox
