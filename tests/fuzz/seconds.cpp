// SPDX-License-Identifier: MIT
//
// model/seconds.h: timeouts and lives, as clients write them.
#include "model/seconds.h"

#include <string>

#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {
namespace {

// By the grammar alone: digits, with at most one point among them, before or after them.
bool is_plain(std::string_view text) {
  const size_t point = text.find('.');
  const size_t whole = std::min(point, text.size());
  const size_t fraction = point == std::string_view::npos ? 0 : text.size() - point - 1;
  std::string digits(text);
  if (point != std::string_view::npos) digits.erase(point, 1);
  return !digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos &&
         whole <= 9 && fraction <= 6;
}

uint64_t micros(std::string_view text) {
  uint64_t number = 0;
  size_t decimals = 0;
  bool behind = false;
  for (const char c : text) {
    if (c == '.') {
      behind = true;
    } else {
      number = number * 10 + static_cast<uint64_t>(c - '0');
      decimals += behind ? 1 : 0;
    }
  }
  for (; decimals < 6; ++decimals) number *= 10;
  return number;
}

}  // namespace

void try_one(std::string_view input) {
  const auto ms = parse_seconds_ms(input);
  must(ms.has_value() == is_plain(input), "seconds are plain decimals");
  if (!ms) return;
  const uint64_t exact = micros(input);
  must(*ms * 1000 >= exact && *ms * 1000 < exact + 1000, "seconds are rounded up to milliseconds");
}

}  // namespace letterbox::fuzz
