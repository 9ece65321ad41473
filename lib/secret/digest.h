// SPDX-License-Identifier: MIT
//
// Digests and comparison of secrets. Pure functions, for any thread.
#pragma once

#include <string>
#include <string_view>

namespace letterbox {

// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

// 32 bytes: HMAC-SHA256 (RFC 2104) of `text`.
std::string hmac_sha256(std::string_view secret, std::string_view text);

// Whether both are the same bytes. Their digests are compared, so the time taken tells neither at
// which byte they differ nor how many bytes agree.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace letterbox
