// SPDX-License-Identifier: MIT
//
// A JSON object from outside, as its members: for what is no more than a few values. A pure
// function, free for any thread.
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
  Kind kind = Kind::other;  // `strings`: an array of nothing but strings, or of nothing
  std::string text = {};    // of a string; of a number as it is written
  std::vector<std::string> strings = {};  // of `strings`
  std::string json = {};                  // of any kind, without white space
};

using JsonMembers = std::map<std::string, JsonMember, std::less<>>;

// The members of the object that `text` is. Errors: as compact_json; bad_request where it is no
// object, or has a name twice: of two readers one would take the first, the other the last.
Or<JsonMembers> json_members(std::string_view text);

}  // namespace letterbox
