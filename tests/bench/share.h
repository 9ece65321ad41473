// SPDX-License-Identifier: MIT
//
// Redis as the limit, on a machine that has too few cores for it to be: a part of a core for each
// Redis process, which the others can't take from it either.
#pragma once

#include <string>

#include "stack.h"

namespace letterbox::bench {

/// Each process of the roles "redis" and "replica" gets this part of a core, and no more.
/// Throws Failure, with the end of the log, if this user may not say so.
void limit_redis(const Stack& stack, double share, const std::string& log);

}  // namespace letterbox::bench
