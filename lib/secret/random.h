// SPDX-License-Identifier: MIT
//
// Chance for secrets, which nobody can foresee. (For spreading things in time: base/random.h.)
#pragma once

#include <cstddef>
#include <string>

namespace letterbox {

// So many bytes from the system's generator. Throws std::runtime_error where it has none to give:
// there is no secret to go on with then. Any thread.
std::string random_secret(size_t bytes);

}  // namespace letterbox
