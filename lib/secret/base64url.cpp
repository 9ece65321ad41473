// SPDX-License-Identifier: MIT
#include "secret/base64url.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>

namespace letterbox {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr unsigned kNoDigit = 64;

constexpr auto kValues = [] {
  std::array<uint8_t, 256> values{};
  values.fill(kNoDigit);
  uint8_t value = 0;
  for (const char digit : kDigits) values[static_cast<unsigned char>(digit)] = value++;
  return values;
}();

}  // namespace

std::string base64url(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  unsigned held = 0;  // bits that are not written yet, in the lowest places
  unsigned count = 0;
  for (const char c : bytes) {
    held = (held << 8 | static_cast<unsigned char>(c)) & 0xFFFF;
    for (count += 8; count >= 6; count -= 6) text += kDigits[held >> (count - 6) & 63];
  }
  if (count > 0) text += kDigits[held << (6 - count) & 63];
  assert(text.size() == (bytes.size() * 4 + 2) / 3);
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  unsigned held = 0;
  unsigned count = 0;
  for (const char c : text) {
    const unsigned value = kValues[static_cast<unsigned char>(c)];
    if (value == kNoDigit) return std::nullopt;
    held = (held << 6 | value) & 0xFFFF;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>(held >> count & 0xFF);
    }
  }
  if ((held & ((1U << count) - 1)) != 0) return std::nullopt;
  assert(bytes.size() == text.size() * 3 / 4);
  return bytes;
}

std::string base64(std::string_view bytes) {
  std::string text = base64url(bytes);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.resize((text.size() + 3) / 4 * 4, '=');
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0 || text.find_first_of("-_") != std::string_view::npos) {
    return std::nullopt;
  }
  std::string digits(text.substr(0, text.find('=')));
  if (text.size() - digits.size() > 2) return std::nullopt;
  if (text.find_first_not_of('=', digits.size()) != std::string_view::npos) return std::nullopt;
  std::replace(digits.begin(), digits.end(), '+', '-');
  std::replace(digits.begin(), digits.end(), '/', '_');
  return from_base64url(digits);
}

}  // namespace letterbox
