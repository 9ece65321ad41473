// SPDX-License-Identifier: MIT
//
// Bytes that come from outside, made into text and numbers. Pure functions, free for any thread;
// each is linear in its input and none trusts it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace letterbox {

// How many bytes at the start of `bytes` are well-formed UTF-8 as Unicode defines it: nothing
// overlong, no surrogates, nothing above U+10FFFF, no sequence cut short. NUL is well-formed.
size_t valid_utf8_prefix(std::string_view bytes);

bool valid_utf8(std::string_view bytes);

// `bytes` with each ill-formed part (the longest that could have begun a character, as browsers
// count them) replaced by one U+FFFD.
std::string utf8_lossy(std::string_view bytes);

// Characters (code points) in `text`, which must be well-formed UTF-8.
size_t utf8_length(std::string_view text);

// The whole of `text` as a decimal number: digits only, no sign, no blanks, nothing above
// 18446744073709551615. Leading zeros are allowed.
std::optional<uint64_t> parse_u64(std::string_view text);

// `number` in decimal, behind what stands in `out`.
void append_u64(std::string& out, uint64_t number);

// `number` in decimal, never in powers of ten. Whole numbers below 2^53 come out exact.
std::string decimal(double number);

// Takes what stands before the next `end` off `rest`, and the `end` with it; where there is none,
// all of it.
std::string_view take_until(std::string_view& rest, char end);

// Two digits for each byte.
std::string hex(std::string_view bytes);

// Undoes `%41` within the `size` bytes at `text`; with `plus_is_space` also `+`, as in a query. The
// new size, or nothing if a `%` is not followed by two hexadecimal digits. The result may be any
// bytes: check it with valid_utf8.
std::optional<size_t> percent_decode_in_place(char* text, size_t size, bool plus_is_space);

}  // namespace letterbox
