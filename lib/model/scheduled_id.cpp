// SPDX-License-Identifier: MIT
#include "model/scheduled_id.h"

#include <array>
#include <cassert>
#include <charconv>

#include "model/names.h"

namespace letterbox {

namespace {

constexpr size_t kDigits = 16;
constexpr unsigned kNumberBits = 20;
static_assert(kIdsOfMillisecond == 1U << kNumberBits);

}  // namespace

std::string ScheduledId::text() const {
  assert(number < kIdsOfMillisecond && at_ms >> (4 * kDigits - kNumberBits) == 0);
  std::array<char, kDigits> digits{};
  const uint64_t value = at_ms << kNumberBits | number;
  const auto end = std::to_chars(digits.data(), digits.data() + kDigits, value, 16).ptr;
  const auto length = static_cast<size_t>(end - digits.data());
  return user + '.' + std::string(kDigits - length, '0') + std::string(digits.data(), length);
}

std::optional<ScheduledId> ScheduledId::parse(std::string_view text) {
  if (text.size() <= kDigits + 1 || text[text.size() - kDigits - 1] != '.') return std::nullopt;
  const std::string_view user = text.substr(0, text.size() - kDigits - 1);
  const std::string_view digits = text.substr(user.size() + 1);
  // (from_chars would also take capitals: then one message would have several ids.)
  if (digits.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  if (!valid_user(user)) return std::nullopt;
  uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + kDigits, value, 16);
  return ScheduledId{std::string(user), value >> kNumberBits,
                     static_cast<uint32_t>(value % kIdsOfMillisecond)};
}

}  // namespace letterbox
