// SPDX-License-Identifier: MIT
//
// A command as it goes to Redis: an array of bulk strings. RedisConnection makes one buffer of each
// command, which costs a fraction of hiredis' own formatting. Pure functions, for any thread.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "redis/script.h"

namespace letterbox {

std::string command_text(std::span<const std::string_view> words);
inline std::string command_text(std::initializer_list<std::string_view> words) {
  return command_text(std::span(words.begin(), words.size()));
}

// A call of a script. The words after the script's name are formatted once, for both ways to name
// it.
class ScriptCall {
 public:
  ScriptCall(const Script& script, std::span<const std::string_view> keys,
             std::span<const std::string_view> arguments);

  // The call that names the script by its hash.
  const std::string& text() const { return text_; }
  // The call that carries the script's source, for a Redis that does not know the script (any
  // more).
  std::string with_source() const;

 private:
  const Script* script_;
  size_t words_;  // how many follow the script
  size_t rest_;   // where these begin in text_
  std::string text_;
};

}  // namespace letterbox
