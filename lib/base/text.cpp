// SPDX-License-Identifier: MIT
#include "base/text.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstring>

namespace letterbox {
namespace {

struct Sequence {
  size_t size;       // in bytes; if ill-formed, those that could have begun a character
  bool well_formed;  // see table 3-7 of the Unicode standard
};

// REQUIRES: `bytes` is not empty.
Sequence first_sequence(std::string_view bytes) {
  assert(!bytes.empty());
  const auto at = [bytes](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // Only the second byte's range depends on the first byte. The range excludes overlong forms,
  // surrogates, and what is above U+10FFFF.
  unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < size; ++i) {
    if (i == bytes.size() || at(i) < low || at(i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {size, true};
}

size_t ascii_prefix(std::string_view bytes) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  size_t i = 0;
  for (; i + sizeof(uint64_t) <= bytes.size(); i += sizeof(uint64_t)) {
    uint64_t eight;
    std::memcpy(&eight, bytes.data() + i, sizeof eight);
    if (eight & kHighBits) break;
  }
  while (i < bytes.size() && static_cast<unsigned char>(bytes[i]) < 0x80) ++i;
  return i;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

size_t valid_utf8_prefix(std::string_view bytes) {
  size_t i = 0;
  while (true) {
    i += ascii_prefix(bytes.substr(i));
    // Text that is not ASCII seldom has eight ASCII bytes in a row. So this loop goes on until the
    // next ASCII byte.
    while (i < bytes.size() && static_cast<unsigned char>(bytes[i]) >= 0x80) {
      const Sequence next = first_sequence(bytes.substr(i));
      if (!next.well_formed) return i;
      i += next.size;
    }
    if (i == bytes.size()) return i;
    assert(i < bytes.size());  // else it would go on from behind its end
  }
}

bool valid_utf8(std::string_view bytes) { return valid_utf8_prefix(bytes) == bytes.size(); }

std::string utf8_lossy(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (true) {
    const size_t good = valid_utf8_prefix(bytes);
    text += bytes.substr(0, good);
    bytes.remove_prefix(good);
    if (bytes.empty()) return text;
    text += "\uFFFD";
    bytes.remove_prefix(first_sequence(bytes).size);
  }
}

size_t utf8_length(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // all but continuation bytes
  }));
}

std::optional<uint64_t> parse_u64(std::string_view text) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, failed] = std::from_chars(text.data(), end, number);
  if (failed != std::errc() || stopped != end) return std::nullopt;
  return number;
}

void append_u64(std::string& out, uint64_t number) {
  char digits[20];  // the largest number has 20
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

std::string decimal(double number) {
  char digits[400];  // the largest double takes 309 characters, the smallest 326; a sign
  return {digits,
          std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed).ptr};
}

std::optional<size_t> percent_decode_in_place(char* text, size_t size, bool plus_is_space) {
  size_t out = 0;
  for (size_t in = 0; in < size; ++in, ++out) {
    char c = text[in];
    if (c == '+' && plus_is_space) {
      c = ' ';
    } else if (c == '%') {
      if (size - in < 3) return std::nullopt;
      const int high = hex_digit(text[in + 1]);
      const int low = hex_digit(text[in + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high << 4 | low);
      in += 2;
    }
    text[out] = c;
  }
  assert(out <= size);
  return out;
}

std::string_view take_until(std::string_view& rest, char end) {
  const std::string_view taken = rest.substr(0, rest.find(end));
  rest.remove_prefix(std::min(taken.size() + 1, rest.size()));
  return taken;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  assert(text.size() == 2 * bytes.size());
  return text;
}

}  // namespace letterbox
