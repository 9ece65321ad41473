// SPDX-License-Identifier: MIT
#include "stack.h"

#include "failure.h"

namespace letterbox::bench {

std::unique_ptr<Stack> start_stack(const std::string& name, const Places& places,
                                   const std::string& directory) {
  if (name == kLetterbox) return start_letterbox(false, places, directory);
  if (name == kApart) return start_letterbox(true, places, directory);
  if (name == kNchanRedis) return start_nchan(true, directory);
  if (name == kNchanMemory) return start_nchan(false, directory);
  if (name == kFloor) return start_floor(places, directory);
  throw Failure("no such stack: " + name);
}

}  // namespace letterbox::bench
