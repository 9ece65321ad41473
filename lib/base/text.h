// SPDX-License-Identifier: MIT
//
// Makes text and numbers of bytes that come from outside. Pure functions, for any thread. Each
// takes time linear in its input, and none trusts it.
#pragma once

#include <array>
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

// Appends `number` in decimal to `out`.
void append_u64(std::string& out, uint64_t number);

// `number` in decimal, never with an exponent. Whole numbers below 2^53 come out exact.
std::string decimal(double number);

// A constant in decimal, for commands and tables that want text.
template <uint64_t number>
struct ConstantText {
  static constexpr size_t kDigits = [] {
    size_t digits = 1;
    for (uint64_t rest = number; rest >= 10; rest /= 10) ++digits;
    return digits;
  }();
  static constexpr std::array<char, kDigits> kText = [] {
    std::array<char, kDigits> text{};
    uint64_t rest = number;
    for (size_t i = kDigits; i > 0; rest /= 10) text[--i] = static_cast<char>('0' + rest % 10);
    return text;
  }();
};
template <uint64_t number>
inline constexpr std::string_view kTextOf{ConstantText<number>::kText.data(),
                                          ConstantText<number>::kDigits};

// Takes off `rest` the text before the next `end`, and the `end` with it, and returns that text. If
// `rest` has no `end`, takes all of it.
std::string_view take_until(std::string_view& rest, char end);

// Two hexadecimal digits for each byte.
std::string hex(std::string_view bytes);

// Decodes escapes such as `%41` in the `size` bytes at `text`; with `plus_is_space` also `+`, as in
// a query. Returns the new size, or none if a `%` is not followed by two hexadecimal digits. The
// result may be any bytes: check it with valid_utf8.
std::optional<size_t> percent_decode_in_place(char* text, size_t size, bool plus_is_space);

}  // namespace letterbox
