// SPDX-License-Identifier: MIT
//
// What is posted of a message that nobody has acknowledged. Pure functions, for any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/cursor.h"

namespace letterbox {

// The header webhook-id: the user, a slash and the message's id, so that it is unique. A full stop
// is not allowed there: `~`, which no user's name has, stands in the place of each.
std::string webhook_id(std::string_view user, const Cursor& id);

// The body, which is the same each time that a message is posted. `body` is an Element's body;
// `after_ms` is how long after its push a message counts as unheard.
std::string unheard_event(std::string_view user, const Cursor& id, std::string_view body,
                          uint64_t after_ms);

// "2026-11-14T18:14:20.456Z".
std::string iso_time(uint64_t ms_since_1970);

}  // namespace letterbox
