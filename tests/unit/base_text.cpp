// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "base/text.h"

namespace letterbox {
namespace {

using namespace std::literals;

std::string encode(uint32_t c) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
}

std::string between(std::string_view text, std::string_view middle) {
  return std::string(text).append(middle).append(text);
}

const std::string kReplacement = "\xEF\xBF\xBD";

TEST_CASE("every character but the surrogates is well-formed UTF-8") {
  size_t wrong = 0;
  for (uint32_t c = 0; c <= 0x10FFFF; ++c) {
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    if (valid_utf8(encode(c)) == surrogate) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("only sequences of two or three bytes that encode a character pass") {
  size_t two = 0;
  size_t three = 0;
  for (int a = 0x80; a < 0x100; ++a) {
    for (int b = 0; b < 0x100; ++b) {
      const std::string pair = {static_cast<char>(a), static_cast<char>(b)};
      two += valid_utf8(pair);
      if (a < 0xE0 || a > 0xEF) continue;
      for (int c = 0; c < 0x100; ++c) three += valid_utf8(pair + static_cast<char>(c));
    }
  }
  CHECK(two == 0x800 - 0x80);
  CHECK(three == 0x10000 - 0x800 - 0x800);  // all of the plane, without the short and surrogates
}

TEST_CASE("ill-formed UTF-8 is found, whatever surrounds it") {
  for (const std::string& bad : {
           "\x80"s,
           "\xBF"s,  // continuation without a beginning
           "\xC0\x80"s,
           "\xC1\xBF"s,  // overlong, two bytes
           "\xE0\x80\x80"s,
           "\xE0\x9F\xBF"s,  // overlong, three
           "\xF0\x80\x80\x80"s,
           "\xF0\x8F\xBF\xBF"s,  // overlong, four
           "\xED\xA0\x80"s,
           "\xED\xBF\xBF"s,  // surrogates
           "\xF4\x90\x80\x80"s,
           "\xF5\x80\x80\x80"s,  // above U+10FFFF
           "\xF8\x88\x80\x80\x80"s,
           "\xFE"s,
           "\xFF"s,  // never in UTF-8
           "\xC3"s,
           "\xE2\x82"s,
           "\xF0\x9F\x98"s,  // cut short
           "\xC3\xC3\xA9"s,
           "\xE2\x82\x28"s,  // something else in the middle
       }) {
    CAPTURE(bad);
    CHECK_FALSE(valid_utf8(bad));
    for (const size_t before : {1, 7, 8, 9, 64}) {
      const std::string text(before, 'a');
      CHECK(valid_utf8_prefix(text + bad) < text.size() + bad.size());
      CHECK(valid_utf8_prefix(text + bad) >= text.size());
      CHECK_FALSE(valid_utf8(between(text, bad)));
      CHECK_FALSE(valid_utf8(between("é€😀", bad)));
    }
  }
}

TEST_CASE("NUL and the empty text are well-formed UTF-8") {
  CHECK(valid_utf8(""));
  CHECK(valid_utf8("a\0b"sv));
}

TEST_CASE("each bad part of a text becomes one U+FFFD") {
  CHECK(utf8_lossy("") == "");
  CHECK(utf8_lossy("naïve €😀\0"sv) == "naïve €😀\0"sv);
  CHECK(utf8_lossy("a\xFF\xFE"
                   "b") == "a" + kReplacement + kReplacement + "b");
  CHECK(utf8_lossy("\xE2\x82"
                   "x") == kReplacement + "x");  // what could have become a character is one part
  CHECK(utf8_lossy("\xED\xA0\x80") == kReplacement + kReplacement + kReplacement);
  CHECK(utf8_lossy("\xF0\x9F\x98") == kReplacement);
}

TEST_CASE("a mended text is UTF-8, and mending it again changes nothing") {
  for (int a = 0; a < 0x100; ++a) {
    for (int b = 0; b < 0x100; ++b) {
      const std::string once = utf8_lossy(
          std::string{static_cast<char>(a), static_cast<char>(b), static_cast<char>(a ^ b)});
      REQUIRE(valid_utf8(once));
      REQUIRE(utf8_lossy(once) == once);
    }
  }
}

TEST_CASE("the length of a text counts its characters") {
  CHECK(utf8_length("") == 0);
  CHECK(utf8_length("abc") == 3);
  CHECK(utf8_length("é€😀") == 3);
}

TEST_CASE("a number is digits, all of them, and fits") {
  CHECK(parse_u64("0") == 0);
  CHECK(parse_u64("007") == 7);
  CHECK(parse_u64("18446744073709551615") == UINT64_MAX);
  for (const auto bad : {"", " ", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "abc", "12a",
                         "18446744073709551616", "99999999999999999999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_u64(bad));
  }
  CHECK_FALSE(parse_u64("1\0"sv));
  CHECK_FALSE(parse_u64(std::string(100'000, '9')));
}

TEST_CASE("a number is written as it is read") {
  for (const uint64_t number : {uint64_t{0}, uint64_t{7}, uint64_t{1795287660456}, UINT64_MAX}) {
    std::string text = "x";
    append_u64(text, number);
    CHECK(parse_u64(text.substr(1)) == number);
    CHECK(text == "x" + std::to_string(number));
  }
}

// The bytes that an escaped text stands for.
std::optional<std::string> percent_decoded(std::string text, bool plus_is_space) {
  const auto size = percent_decode_in_place(text.data(), text.size(), plus_is_space);
  if (!size) return std::nullopt;
  text.resize(*size);
  return text;
}

TEST_CASE("percent escapes are undone, and a plus only if it stands for a space") {
  CHECK(percent_decoded("", true) == "");
  CHECK(percent_decoded("a%20b%2Bc%2bd", true) == "a b+c+d");
  CHECK(percent_decoded("a+b", true) == "a b");
  CHECK(percent_decoded("a+b", false) == "a+b");
  CHECK(percent_decoded("%00%ff", false) == "\0\xFF"s);
  CHECK(percent_decoded("%2541", false) == "%41");  // once, not twice
}

TEST_CASE("a percent sign without two hex digits is refused") {
  for (const auto bad : {"%", "a%", "%4", "%g0", "%0g", "%%41", "% 1", "%-1", "%+1", "100%"}) {
    CAPTURE(bad);
    CHECK_FALSE(percent_decoded(bad, true));
  }
}

TEST_CASE("a text is taken up to an end and with it, or whole if it has no end") {
  std::string_view rest = "a bc  d";
  for (const std::string_view word : {"a", "bc", "", "d", "", ""}) {
    CHECK(take_until(rest, ' ') == word);
  }
  CHECK(rest.empty());
}

TEST_CASE("a number with a fraction is written without powers of ten") {
  CHECK(decimal(0) == "0");
  CHECK(decimal(0.00001) == "0.00001");
  CHECK(decimal(1e15) == "1000000000000000");
  CHECK(decimal(-2.5) == "-2.5");
  CHECK(decimal(std::numeric_limits<double>::max()).size() == 309);
  CHECK(std::stod(decimal(std::numeric_limits<double>::min())) ==
        std::numeric_limits<double>::min());
}

TEST_CASE("bytes are written as two digits each") {
  CHECK(hex("").empty());
  CHECK(hex(std::string_view("\x00\x0f\xa5\xff", 4)) == "000fa5ff");
}

}  // namespace
}  // namespace letterbox
