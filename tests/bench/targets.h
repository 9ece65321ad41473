// SPDX-License-Identifier: MIT
//
// The targets that Letterbox sets out to reach.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results.h"

namespace letterbox::bench {

struct Target {
  std::string text;
  std::string case_name;  // under which it is shown
  std::string limit;      // "at least 2.0 ×"
  std::optional<double> value;
  bool met = false;  // false also if there is no value
};

/// Each of them; without a value if its case or its rival was not run.
std::vector<Target> judge(const Results& results);

}  // namespace letterbox::bench
