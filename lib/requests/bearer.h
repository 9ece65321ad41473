// SPDX-License-Identifier: MIT
//
// Reads the header Authorization.
#pragma once

#include <optional>
#include <string_view>

namespace letterbox {

// The text that follows `Bearer`. The text is empty if the header ends there: servers drop a blank
// at a header's end. Returns nullopt if the header has another scheme or is missing.
std::optional<std::string_view> bearer(std::string_view authorization);

}  // namespace letterbox
