// SPDX-License-Identifier: MIT
//
// Random bytes for secrets, which no attacker can predict. (To spread things in time:
// base/random.h.)
#pragma once

#include <cstddef>
#include <string>

namespace letterbox {

// This many bytes from the system's random generator. Throws std::runtime_error if the generator
// fails: the caller can't go on without a secret. Any thread.
std::string random_secret(size_t bytes);

}  // namespace letterbox
