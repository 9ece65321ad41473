// SPDX-License-Identifier: MIT
#include "redis/command.h"

#include <cassert>

#include "base/text.h"

namespace letterbox {

namespace {

// The most bytes that a word takes in addition to its own: "$", the digits of its length, two line
// ends.
constexpr size_t kWordFrame = 1 + 20 + 4;

size_t most_bytes(std::span<const std::string_view> words) {
  size_t bytes = 0;
  for (const auto& word : words) bytes += kWordFrame + word.size();
  return bytes;
}

void append_head(std::string& out, char kind, size_t number) {
  out += kind;
  append_u64(out, number);
  out += "\r\n";
}

void append_word(std::string& out, std::string_view word) {
  append_head(out, '$', word.size());
  out += word;
  out += "\r\n";
}

}  // namespace

std::string command_text(std::span<const std::string_view> words) {
  std::string text;
  const size_t most = kWordFrame + most_bytes(words);
  text.reserve(most);
  append_head(text, '*', words.size());
  for (const auto& word : words) append_word(text, word);
  assert(text.size() <= most);
  return text;
}

ScriptCall::ScriptCall(const Script& script, std::span<const std::string_view> keys,
                       std::span<const std::string_view> arguments)
    : script_(&script), words_(1 + keys.size() + arguments.size()) {
  constexpr std::string_view kByHash = "EVALSHA";
  text_.reserve(4 * kWordFrame + kByHash.size() + script.sha1.size() + most_bytes(keys) +
                most_bytes(arguments));
  append_head(text_, '*', 2 + words_);
  append_word(text_, kByHash);
  append_word(text_, script.sha1);
  rest_ = text_.size();
  assert(!script.sha1.empty());
  std::string count;
  append_u64(count, keys.size());
  append_word(text_, count);
  for (const auto& key : keys) append_word(text_, key);
  for (const auto& argument : arguments) append_word(text_, argument);
}

std::string ScriptCall::with_source() const {
  assert(rest_ > 0 && rest_ < text_.size());
  const auto rest = std::string_view(text_).substr(rest_);
  std::string text;
  text.reserve(3 * kWordFrame + script_->source.size() + rest.size());
  append_head(text, '*', 2 + words_);
  append_word(text, "EVAL");
  append_word(text, script_->source);
  text += rest;
  return text;
}

}  // namespace letterbox
