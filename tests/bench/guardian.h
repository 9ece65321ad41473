// SPDX-License-Identifier: MIT
//
// Nothing that the benchmark starts outlives it, however it ends. The work is done in a child; its
// parent does nothing but wait for that child's end, and then ends every process that stands below
// it. Being their subreaper it inherits those whose own parents are gone, daemons too.
#pragma once

#include <functional>
#include <string>

namespace letterbox::bench {

/// Calls `work` in a child process, in a fresh temporary directory whose path it is given, and
/// returns what it returned. After `seconds` the child is ended: nothing here runs for ever.
int guarded(unsigned seconds, const std::function<int(const std::string& directory)>& work);

}  // namespace letterbox::bench
