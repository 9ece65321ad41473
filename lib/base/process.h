// SPDX-License-Identifier: MIT
//
// The kernel's figures of this process. Any thread. A figure that can't be read is 0.
#pragma once

#include <cstdint>

namespace letterbox {

struct ProcessFigures {
  double cpu_seconds = 0;  // user and system
  uint64_t virtual_bytes = 0;
  uint64_t resident_bytes = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;
};

ProcessFigures process_figures();

}  // namespace letterbox
