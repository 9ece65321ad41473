// SPDX-License-Identifier: MIT
//
// Checks names. No user or client name that passes here can break a Redis key, a header or a line
// of the log.
#pragma once

#include <string_view>

namespace letterbox {

// The type of a message whose sender named none.
inline constexpr std::string_view kDefaultType = "message";

// 1 to 128 characters of `A-Z a-z 0-9 . _ - @ : +`.
bool valid_user(std::string_view name);

// 1 to 64 of the same characters. The unnamed client is the empty string, which the caller accepts.
bool valid_client(std::string_view name);

// The same as for a client.
bool valid_group(std::string_view name);

// What a back end calls a message that the next one of the same name replaces: as a client's name.
bool valid_collapse_key(std::string_view key);

// 1 to 128 printable ASCII characters.
bool valid_idempotency_key(std::string_view key);

// The prefix of the types of Letterbox's own events on a stream.
inline constexpr std::string_view kOwnTypes = "letterbox.";

// 1 to 64 characters of well-formed UTF-8, no control characters, and not the type of an own event.
bool valid_type(std::string_view type);

}  // namespace letterbox
