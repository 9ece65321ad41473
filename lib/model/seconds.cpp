// SPDX-License-Identifier: MIT
#include "model/seconds.h"

#include <string>

#include "base/text.h"

namespace letterbox {

std::optional<uint64_t> parse_seconds_ms(std::string_view text) {
  constexpr size_t kWholeDigits = 9;
  constexpr size_t kFractionDigits = 6;
  constexpr uint64_t kMicros = 1'000'000;

  const size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction =
      point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if (whole.empty() && fraction.empty()) return std::nullopt;
  if (whole.size() > kWholeDigits || fraction.size() > kFractionDigits) return std::nullopt;

  std::string digits(whole);
  digits += fraction;
  digits.append(kFractionDigits - fraction.size(), '0');
  const auto micros = parse_u64(digits);
  if (!micros) return std::nullopt;
  return (*micros + kMicros / 1000 - 1) / (kMicros / 1000);
}

}  // namespace letterbox
