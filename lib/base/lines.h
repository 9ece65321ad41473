// SPDX-License-Identifier: MIT
//
// The lines of a file that a person wrote, such as a key file. A pure function, for any thread.
#pragma once

#include <string_view>

#include "base/text.h"

namespace letterbox {

// Takes the first line off `rest`, with its line end: LF or CRLF.
inline std::string_view take_line(std::string_view& rest) {
  std::string_view line = take_until(rest, '\n');
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace letterbox
