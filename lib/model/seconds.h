// SPDX-License-Identifier: MIT
//
// Durations as clients write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace letterbox {

// Decimal seconds ("25", "0.5", "2.", ".5") in milliseconds, rounded up: a time above zero stays
// above zero, and a time above a limit stays above it. At most 9 digits before the point and 6
// after it; no sign, exponent, blanks, "inf" or "nan".
std::optional<uint64_t> parse_seconds_ms(std::string_view text);

}  // namespace letterbox
