// SPDX-License-Identifier: MIT
#include "redis/slot.h"

#include <array>

namespace letterbox {

namespace {

constexpr uint16_t kPolynomial = 0x1021;

// What each value of the upper byte does to the remainder.
constexpr std::array<uint16_t, 256> table() {
  std::array<uint16_t, 256> remainders{};
  for (size_t byte = 0; byte < remainders.size(); ++byte) {
    auto remainder = static_cast<uint16_t>(byte << 8);
    for (int bit = 0; bit < 8; ++bit) {
      const bool carries = (remainder & 0x8000) != 0;
      remainder = static_cast<uint16_t>(remainder << 1);
      if (carries) remainder ^= kPolynomial;
    }
    remainders[byte] = remainder;
  }
  return remainders;
}

constexpr auto kTable = table();

}  // namespace

uint16_t crc16(std::string_view bytes) {
  uint16_t remainder = 0;
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    remainder = static_cast<uint16_t>((remainder << 8) ^ kTable[(remainder >> 8) ^ byte]);
  }
  return remainder;
}

uint16_t slot_of(std::string_view key) {
  const size_t open = key.find('{');
  const size_t close = open == std::string_view::npos ? open : key.find('}', open);
  if (close != std::string_view::npos && close > open + 1) {
    key = key.substr(open + 1, close - open - 1);
  }
  return crc16(key) % kSlots;
}

}  // namespace letterbox
