// SPDX-License-Identifier: MIT
//
// Digests of secrets, and how secrets are compared. Pure functions, free for any thread.
#pragma once

#include <string>
#include <string_view>

namespace letterbox {

// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

// Whether both are the same bytes. The time it takes tells nothing of where they differ, nor of
// the length they have in common: what is compared are digests.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace letterbox
