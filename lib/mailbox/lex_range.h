// SPDX-License-Identifier: MIT
//
// The range of a page of names in a sorted set whose scores are all equal, for ZRANGEBYLEX. For the
// stores of this folder; a pure function.
#pragma once

#include <string>

namespace letterbox {

struct LexRange {
  std::string least;
  std::string most;
};

// The names that begin with `prefix` and come after `after`. Both may be empty: all names.
inline LexRange lex_range(const std::string& prefix, const std::string& after) {
  const bool from_after = !after.empty() && after >= prefix;
  return {.least = from_after       ? "(" + after
                   : prefix.empty() ? "-"
                                    : "[" + prefix,
          // (No name contains the byte 0xff: this is behind all names with the prefix.)
          .most = prefix.empty() ? "+" : "(" + prefix + "\xff"};
}

}  // namespace letterbox
