// SPDX-License-Identifier: MIT
//
// Reads the header Authorization.
#pragma once

#include <optional>
#include <string_view>

namespace letterbox {

// What follows `Bearer `, be it empty; nothing where the header is another scheme's, or missing.
std::optional<std::string_view> bearer(std::string_view authorization);

}  // namespace letterbox
