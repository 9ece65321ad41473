// SPDX-License-Identifier: MIT
#include "model/names.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "base/text.h"

namespace letterbox {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-@:+";

constexpr auto kAllowed = [] {
  std::array<bool, 256> allowed{};
  for (const char c : kAlphabet) allowed[static_cast<unsigned char>(c)] = true;
  return allowed;
}();

bool valid_name(std::string_view name, size_t longest) {
  return !name.empty() && name.size() <= longest &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return kAllowed[static_cast<unsigned char>(c)]; });
}

bool has_control(std::string_view utf8) {
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    assert(byte < 0xC2 || i + 1 < utf8.size());  // it is well-formed
    // U+0080 to U+009F are controls as well.
    if (byte == 0xC2 && static_cast<unsigned char>(utf8[i + 1]) < 0xA0) return true;
  }
  return false;
}

}  // namespace

bool valid_user(std::string_view name) { return valid_name(name, 128); }

bool valid_client(std::string_view name) { return valid_name(name, 64); }

bool valid_group(std::string_view name) { return valid_name(name, 64); }

bool valid_collapse_key(std::string_view key) { return valid_name(key, 64); }

bool valid_idempotency_key(std::string_view key) {
  constexpr size_t kLongest = 128;
  return !key.empty() && key.size() <= kLongest && key.front() != ' ' && key.back() != ' ' &&
         std::all_of(key.begin(), key.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool valid_type(std::string_view type) {
  constexpr size_t kLongest = 64;
  constexpr size_t kBytesOfOne = 4;
  return !type.empty() && type.size() <= kLongest * kBytesOfOne && valid_utf8(type) &&
         utf8_length(type) <= kLongest && !has_control(type) && !type.starts_with(kOwnTypes);
}

}  // namespace letterbox
