// SPDX-License-Identifier: MIT
//
// Bytes as the text of RFC 4648, section 5: `A-Z a-z 0-9 - _`, without padding. Pure functions,
// free for any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace letterbox {

std::string base64url(std::string_view bytes);

// Nothing but what base64url() writes is read, so that no two texts mean the same bytes: no
// padding, no white space, and no bits left over in the last digit.
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace letterbox
