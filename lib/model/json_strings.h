// SPDX-License-Identifier: MIT
//
// Reads a JSON array of strings from outside. A pure function, for any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/error.h"

namespace letterbox {

// The strings of the JSON array `text`. No more than `most` + 1 are kept, so the caller sees that
// there are too many. Errors: as compact_json; bad_request if `text` is anything else.
Or<std::vector<std::string>> json_strings(std::string_view text, size_t most);

}  // namespace letterbox
