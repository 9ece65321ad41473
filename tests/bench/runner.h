// SPDX-License-Identifier: MIT
//
// Which case is run with which stack, when.
#pragma once

#include "options.h"
#include "results.h"
#include "stack.h"

namespace letterbox::bench {

/// Runs what the options ask for, stack by stack within a case, case by case within a round. Says
/// on stderr what it is at. Throws Interrupted; a run that fails is in the results as such.
Results run_all(const Options& options, const Places& places);

/// More than that never takes; seconds.
unsigned longest(const Options& options);

}  // namespace letterbox::bench
