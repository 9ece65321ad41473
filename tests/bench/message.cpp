// SPDX-License-Identifier: MIT
#include "message.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace letterbox::bench {
namespace {

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

std::string_view take_word(std::string_view& text) {
  const size_t space = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(std::min(space + 1, text.size()));
  return word;
}

template <class Number>
bool read_number(std::string_view word, Number& number) {
  const char* end = word.data() + word.size();
  return std::from_chars(word.data(), end, number).ptr == end && !word.empty();
}

}  // namespace

void append_message(std::string& out, const Message& message) {
  const size_t start = out.size();
  out += message.user;
  out += ' ';
  append_number(out, message.number);
  out += ' ';
  append_number(out, message.written);
  out += ' ';
  out.resize(start + kMessageBytes, '.');
}

std::optional<Message> read_message(std::string_view text) {
  if (text.size() != kMessageBytes) return std::nullopt;
  Message message;
  message.user = take_word(text);
  const bool numbers =
      read_number(take_word(text), message.number) && read_number(take_word(text), message.written);
  const bool filler = text.find_first_not_of('.') == std::string_view::npos;
  if (!numbers || !filler) return std::nullopt;
  return message;
}

}  // namespace letterbox::bench
