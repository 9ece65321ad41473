// SPDX-License-Identifier: MIT
//
// Bytes as base64url text (RFC 4648, section 5): `A-Z a-z 0-9 - _`, without padding; and as base64
// text (section 4): `A-Z a-z 0-9 + /`, with padding. Pure functions, for any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace letterbox {

std::string base64url(std::string_view bytes);

// Reads only what base64url() writes, so that no two texts mean the same bytes: no padding, no
// white space, and no bits left over in the last digit. None for any other text.
std::optional<std::string> from_base64url(std::string_view text);

std::string base64(std::string_view bytes);
// Reads only what base64() writes, as strictly as from_base64url().
std::optional<std::string> from_base64(std::string_view text);

}  // namespace letterbox
