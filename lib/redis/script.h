// SPDX-License-Identifier: MIT
//
// A Lua script that runs in Redis, atomically. The build makes a Script of each .lua file
// (scripts.h).
#pragma once

#include <string_view>

namespace letterbox {

struct Script {
  std::string_view sha1;  // names the script once Redis has seen it
  std::string_view source;
  // The same for a Redis Cluster: it replies TRYAGAIN, and does nothing, while Redis moves the slot
  // of its keys. Null: this form is for both.
  const Script* guarded = nullptr;

  const Script& for_cluster() const { return guarded != nullptr ? *guarded : *this; }
};

}  // namespace letterbox
