// SPDX-License-Identifier: MIT
//
// The results for people, for programs, and as a picture.
#pragma once

#include <string>
#include <vector>

#include "machine.h"
#include "options.h"
#include "results.h"

namespace letterbox::bench {

struct Report {
  const Options& options;
  const Description& machine;
  const std::vector<std::string>& missing;  // stacks that could not be started here, and why
  const Results& results;
};

/// "medians of 3 rounds, windows of 5 s".
std::string how_measured(const Options& options);

/// A line for each case and stack: whether all messages were right.
std::string as_verdicts(const Report& report);

/// Medians and ratios, and next to them the targets. UTF-8.
std::string as_table(const Report& report);

/// Also every sample.
std::string as_json(const Report& report);

/// Self-contained, without fonts or styles from elsewhere; light or dark as its reader prefers.
std::string as_svg(const Report& report);

}  // namespace letterbox::bench
