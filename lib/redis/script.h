// SPDX-License-Identifier: MIT
//
// A Lua script that runs in Redis, atomically. The build makes one of each .lua file (scripts.h).
#pragma once

#include <string_view>

namespace letterbox {

struct Script {
  std::string_view sha1;  // by which Redis knows it once it has seen it
  std::string_view source;
};

}  // namespace letterbox
