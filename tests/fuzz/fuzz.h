// SPDX-License-Identifier: MIT
//
// The common part of the fuzz targets. A target is one file that defines try_one(), and a program
// of that name; main.cpp calls it with libFuzzer's inputs. It states what must hold for any input.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"

namespace letterbox::fuzz {

// For any bytes. Called again and again in one process: leaves nothing behind.
void try_one(std::string_view input);

// Ends the program if a claim does not hold; libFuzzer then prints and keeps the input.
inline void must(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: the claim does not hold: %s\n", claim);
  std::abort();
}

inline bool within(std::string_view part, std::string_view whole) {
  const std::less_equal<> at_most;
  return at_most(whole.data(), part.data()) &&
         at_most(part.data() + part.size(), whole.data() + whole.size());
}

// Every byte as %XX, in these sixteen digits.
inline std::string escaped(std::string_view text, std::string_view digits) {
  std::string out;
  for (const char c : text) {
    out += '%';
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

// The bytes that an escaped text stands for.
inline std::optional<std::string> percent_decoded(std::string text, bool plus_is_space) {
  const auto size = percent_decode_in_place(text.data(), text.size(), plus_is_space);
  if (!size) return std::nullopt;
  text.resize(*size);
  return text;
}

// Takes the first line off `rest`, for targets with several inputs.
inline std::string_view next_line(std::string_view& rest) {
  const std::string_view line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : line.size());
  return line;
}

}  // namespace letterbox::fuzz
