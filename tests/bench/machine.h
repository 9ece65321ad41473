// SPDX-License-Identifier: MIT
//
// Where it was measured.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace letterbox::bench {

/// Processor, cores, memory, system, versions: name and value, in the order to show them.
using Description = std::vector<std::pair<std::string, std::string>>;

/// Asks the installed programs for their versions; `directory` is for what they print.
Description describe_machine(const std::string& directory);

}  // namespace letterbox::bench
