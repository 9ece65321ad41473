// SPDX-License-Identifier: MIT
//
// The machine that the benchmark ran on.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "stack.h"

namespace letterbox::bench {

/// Processor, cores, memory, system, versions: name and value, in the order to show them.
using Description = std::vector<std::pair<std::string, std::string>>;

/// Asks the installed programs for their versions; what they print goes to the temporary directory.
Description describe_machine(const Places& places);

}  // namespace letterbox::bench
