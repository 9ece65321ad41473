// SPDX-License-Identifier: MIT
#include "mailbox/failure.h"

#include <string>

#include "base/rare.h"

namespace letterbox {

namespace {

// The first words of the scripts' errors about a key and about the reign (KEYS.md), and of Redis'
// own about a key's type.
constexpr std::string_view kBroken = "BROKEN ";
constexpr std::string_view kReign = "REIGN ";
constexpr std::string_view kOtherType = "WRONGTYPE ";

}  // namespace

Error failure_of(const Reply& reply, std::string_view key) {
  const std::string_view error = reply.error();
  if (error.starts_with(kBroken)) {
    rare<"something else stands in the place of a mailbox">();
    return broken_data(error.substr(kBroken.size()));
  }
  if (error.starts_with(kReign)) return store_unavailable(error.substr(kReign.size()));
  if (!key.empty() && error.starts_with(kOtherType)) {
    return broken_data(std::string(key) + " is of another type");
  }
  return store_unavailable();
}

}  // namespace letterbox
