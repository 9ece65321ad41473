// SPDX-License-Identifier: MIT
//
// How a poll ends: for one of a closed list of reasons, with one JSON document. fcgi/PROTOCOL.md.
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
  gone,   // the client went away: nobody is answered
  error,  // answered by an error document
};
inline constexpr size_t kReasons = 8;

std::string_view name(Reason reason);

// What a client is given at once. The messages are the caller's.
struct Portion {
  std::span<const Message> messages = {};
  Cursor cursor = {};   // where the client stands then
  uint64_t missed = 0;  // messages before that which it will not get
  bool reset = false;   // its cursor meant nothing
};

// What a poll answers.
struct Ending {
  Reason reason = Reason::timeout;
  Portion given = {};
  uint64_t retry_after_ms = 0;
};

std::string to_json(const Ending& ending);

}  // namespace letterbox
