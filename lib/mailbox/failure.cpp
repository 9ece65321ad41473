// SPDX-License-Identifier: MIT
#include "mailbox/failure.h"

#include <string>

namespace letterbox {

namespace {

// How the scripts begin what they say of a key, and of the reign: KEYS.md.
constexpr std::string_view kBroken = "BROKEN ";
constexpr std::string_view kReign = "REIGN ";
constexpr std::string_view kOtherType = "WRONGTYPE ";

}  // namespace

Error failure_of(const Reply& reply, std::string_view key) {
  const std::string_view error = reply.error();
  if (error.starts_with(kBroken)) return broken_data(error.substr(kBroken.size()));
  if (error.starts_with(kReign)) return store_unavailable(error.substr(kReign.size()));
  if (!key.empty() && error.starts_with(kOtherType)) {
    return broken_data(std::string(key) + " is of another type");
  }
  return store_unavailable();
}

}  // namespace letterbox
