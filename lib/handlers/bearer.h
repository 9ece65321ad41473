// SPDX-License-Identifier: MIT
//
// Reads the header Authorization.
#pragma once

#include <optional>
#include <string_view>

namespace letterbox {

// What follows `Bearer`, which is empty if nothing does: servers drop a blank at a header's end.
// Nothing if the header is another scheme's, or missing.
std::optional<std::string_view> bearer(std::string_view authorization);

}  // namespace letterbox
