// SPDX-License-Identifier: MIT
//
// A command as it goes to Redis: an array of bulk strings. RedisConnection makes one buffer of
// each, which costs a fraction of what hiredis' own way takes. Pure, for any thread.
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

// A call of a script. The words behind the script are formatted once, whichever way it is named.
class ScriptCall {
 public:
  ScriptCall(const Script& script, std::span<const std::string_view> keys,
             std::span<const std::string_view> arguments);

  // By the script's hash.
  const std::string& text() const { return text_; }
  // By its source, for a Redis that does not know it (any more).
  std::string with_source() const;

 private:
  const Script* script_;
  size_t words_;  // behind the script
  size_t rest_;   // where they begin in text_
  std::string text_;
};

}  // namespace letterbox
