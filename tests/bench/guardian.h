// SPDX-License-Identifier: MIT
//
// No process that the benchmark starts outlives it, however it ends. The work is done in a child;
// its parent only waits for that child's end, and then ends every process that is below it. Being
// their subreaper it inherits those whose own parents are gone, daemons too.
#pragma once

#include <functional>
#include <string>

namespace letterbox::bench {

/// /// Calls `work` in a child process, with the path of a fresh temporary directory, and returns
/// its result. After `seconds` the child is ended: nothing here runs for ever.
int guarded(unsigned seconds, const std::function<int(const std::string& directory)>& work);

}  // namespace letterbox::bench
