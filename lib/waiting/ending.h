// SPDX-License-Identifier: MIT
//
// How a poll ends: with one JSON document (fcgi/PROTOCOL.md), and for one of a closed list of
// reasons.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "model/cursor.h"
#include "model/message.h"

namespace letterbox {

enum class Reason {
  messages,
  timeout,
  superseded,  // a newer poll of the same user and client took its place
  shutdown,    // the program ends
  kicked,
  slow,   // a stream: its client does not take what is written to it
  gone,   // the client went away: no answer is sent
  error,  // answered by an error document
};
inline constexpr size_t kReasons = 8;

std::string_view name(Reason reason);

// The messages that a client is given in one piece. The caller owns them.
struct Portion {
  std::span<const Message> messages = {};
  Cursor cursor = {};      // the client's position after these messages
  uint64_t missed = 0;     // messages before that cursor which the client will not get
  uint64_t collapsed = 0;  // messages before it that were replaced or retracted
  bool reset = false;      // the client's cursor meant nothing here
};

// The answer to a poll.
struct Ending {
  Reason reason = Reason::timeout;
  Portion given = {};
  uint64_t retry_after_ms = 0;
};

std::string to_json(const Ending& ending);

}  // namespace letterbox
