// SPDX-License-Identifier: MIT
#include "requests/mail.h"

#include <string_view>

#include "base/random.h"
#include "model/names.h"

namespace letterbox {

namespace {

constexpr std::string_view kGroup = "group:";
constexpr std::string_view kEverybody = "*";

}  // namespace

Recipient Recipient::parse(std::string text) {
  auto kind = valid_user(text) ? Kind::user : Kind::bad_user;
  if (text == kEverybody) {
    kind = Kind::everybody;
  } else if (text.starts_with(kGroup)) {
    kind =
        valid_group(std::string_view(text).substr(kGroup.size())) ? Kind::group : Kind::bad_group;
  }
  return {std::move(text), kind};
}

std::string_view Recipient::group() const { return std::string_view(text).substr(kGroup.size()); }

Error overloaded() {
  return {Code::overloaded, "more pushes are waiting for the message store than this server holds",
          static_cast<int>(500 + random_below(1000))};
}

size_t Mail::recipients() const {
  size_t count = 0;
  for (const auto& letter : letters) count += letter.to.size();
  return count;
}

size_t Mail::stored_bytes() const {
  size_t bytes = 0;
  for (const auto& letter : letters) {
    if (letter.element) bytes += letter.element->size() * letter.to.size();
  }
  return bytes;
}

}  // namespace letterbox
