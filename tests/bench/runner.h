// SPDX-License-Identifier: MIT
//
// The runs of the cases with the stacks, and their order.
#pragma once

#include <string>
#include <vector>

#include "options.h"
#include "results.h"
#include "stack.h"

namespace letterbox::bench {

/// /// Removes the stacks that can't be started here from the options. Returns a sentence for each
/// that says why.
std::vector<std::string> leave_out_missing(Options& options, const Places& places);

/// /// Runs the cases of the options, stack by stack within a case, case by case within a round.
/// Reports its progress on stderr. Throws Interrupted; a run that fails is marked so in the
/// results.
Results run_all(const Options& options, const Places& places);

/// The longest that these options may take, in seconds.
unsigned longest(const Options& options);

}  // namespace letterbox::bench
