// SPDX-License-Identifier: MIT
//
// base/text.h: UTF-8, percent escapes and numbers, from any bytes.
#include "base/text.h"

#include <string>

#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {
namespace {

constexpr uint32_t kNoCharacter = 0xFFFFFFFF;

// The character that `bytes` begins with, by arithmetic instead of by ranges of bytes.
uint32_t first_character(std::string_view bytes, size_t& size) {
  const auto at = [bytes](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  size = at(0) < 0x80 ? 1 : at(0) >> 5 == 6 ? 2 : at(0) >> 4 == 14 ? 3 : at(0) >> 3 == 30 ? 4 : 0;
  if (size == 0 || size > bytes.size()) return kNoCharacter;
  uint32_t character = size == 1 ? at(0) : at(0) & (0x7FU >> size);
  for (size_t i = 1; i < size; ++i) {
    if (at(i) >> 6 != 2) return kNoCharacter;
    character = character << 6 | (at(i) & 0x3FU);
  }
  const uint32_t least = size == 1 ? 0 : size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
  const bool surrogate = character >= 0xD800 && character <= 0xDFFF;
  return character < least || surrogate || character > 0x10FFFF ? kNoCharacter : character;
}

void try_utf8(std::string_view input) {
  size_t good = 0;
  size_t characters = 0;
  for (size_t size = 0; good < input.size(); good += size, ++characters) {
    if (first_character(input.substr(good), size) == kNoCharacter) break;
  }
  must(valid_utf8_prefix(input) == good, "UTF-8 is what decodes to characters");
  must(valid_utf8(input) == (good == input.size()), "text is valid if all of it is");
  must(utf8_length(input.substr(0, good)) == characters, "the length is that in characters");

  const std::string mended = utf8_lossy(input);
  must(valid_utf8(mended), "a mended text is UTF-8");
  must(mended.starts_with(input.substr(0, good)), "a well-formed part stays");
  must(utf8_lossy(mended) == mended, "there is nothing left to mend");
}

void try_escapes(std::string_view input) {
  must(percent_decoded(escaped(input, "0123456789aBcDeF"), true) == input,
       "escapes come back as they were");
  const auto decoded = percent_decoded(std::string(input), false);
  must(!decoded || decoded->size() <= input.size(), "decoding makes nothing longer");
  const bool plain = input.find('%') == std::string_view::npos;
  must(!plain || decoded == input, "a text without escapes stays as it is");
}

void try_numbers(std::string_view input) {
  const auto number = parse_u64(input);
  must(!number || input.find_first_not_of("0123456789") == std::string_view::npos,
       "a number is all digits");
  if (!number) return;
  std::string text;
  append_u64(text, *number);
  const size_t zeros = std::min(input.find_first_not_of('0'), input.size() - 1);
  must(text == input.substr(zeros), "a number is printed as it was read");
}

}  // namespace

void try_one(std::string_view input) {
  try_utf8(input);
  try_escapes(input);
  try_numbers(input);
}

}  // namespace letterbox::fuzz
