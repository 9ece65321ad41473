// SPDX-License-Identifier: MIT
//
// Reads a JSON object from outside into a map of its members, for small objects of a few values. A
// pure function, for any thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/error.h"

namespace letterbox {

struct JsonMember {
  enum class Kind { string, number, strings, other };
  Kind kind = Kind::other;                // `strings`: an array of strings only, or an empty array
  std::string text = {};                  // of a string; of a number, as it is written
  std::vector<std::string> strings = {};  // of `strings`
  std::string json = {};                  // of any kind, without white space
};

using JsonMembers = std::map<std::string, JsonMember, std::less<>>;

// The members of the JSON object `text`. Errors: as compact_json; bad_request if `text` is no
// object, or has a name twice: of two readers one might take the first value, the other the last.
Or<JsonMembers> json_members(std::string_view text);

}  // namespace letterbox
