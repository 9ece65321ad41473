// SPDX-License-Identifier: MIT
//
// Waiting for conditions without a descriptor: a server that comes up, a process' memory that
// settles.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "failure.h"

namespace letterbox::bench {

/// Calls `is_so` every 10 ms until it is true. False: not by the deadline.
bool await(const std::function<bool()>& condition, int64_t deadline);

/// `what`, and the end of the file `log`.
Failure failure_with_log(std::string_view what, const std::string& log);

/// As above for ten seconds, then throws failure_with_log.
void require(const std::function<bool()>& condition, std::string_view what, const std::string& log);

}  // namespace letterbox::bench
