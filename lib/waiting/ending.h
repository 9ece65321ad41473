// SPDX-License-Identifier: MIT
//
// How a poll ends: for one of a closed list of reasons, with one JSON document. fcgi/PROTOCOL.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/cursor.h"

namespace letterbox {

enum class Reason {
  messages,
  timeout,
  superseded,  // a newer poll of the same user and client took its place
  shutdown,    // the program ends
  kicked,
  gone,   // the client went away: nobody is answered
  error,  // answered by an error document
};
inline constexpr size_t kReasons = 7;

std::string_view name(Reason reason);

// What a poll answers.
struct Ending {
  Reason reason = Reason::timeout;
  size_t count = 0;
  std::string_view messages = {};  // JSON objects, separated by commas
  std::string_view single = {};    // or the body of one message, whose id is the cursor
  Cursor cursor = {};
  uint64_t missed = 0;
  bool reset = false;
  uint64_t retry_after_ms = 0;
};

std::string to_json(const Ending& ending);

}  // namespace letterbox
