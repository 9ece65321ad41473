// SPDX-License-Identifier: MIT
//
// Which case is run with which stack, when.
#pragma once

#include <string>
#include <vector>

#include "options.h"
#include "results.h"
#include "stack.h"

namespace letterbox::bench {

/// Takes the stacks out of the options that can't be started here. For each a sentence that says
/// why.
std::vector<std::string> leave_out_missing(Options& options, const Places& places);

/// Runs what the options ask for, stack by stack within a case, case by case within a round. Says
/// on stderr what it is at. Throws Interrupted; a run that fails is in the results as such.
Results run_all(const Options& options, const Places& places);

/// More than that never takes; seconds.
unsigned longest(const Options& options);

}  // namespace letterbox::bench
