// SPDX-License-Identifier: MIT
#include "requests/bearer.h"

#include <strings.h>

namespace letterbox {

std::optional<std::string_view> bearer(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer";
  if (authorization.size() < kScheme.size() ||
      strncasecmp(authorization.data(), kScheme.data(), kScheme.size()) != 0) {
    return std::nullopt;
  }
  authorization.remove_prefix(kScheme.size());
  if (authorization.empty()) return authorization;
  if (authorization.front() != ' ') return std::nullopt;
  return authorization.substr(1);
}

}  // namespace letterbox
