// SPDX-License-Identifier: MIT
//
// How a failed check shows values of Letterbox's types.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/cursor.h"

namespace doctest {

template <>
struct StringMaker<letterbox::Cursor> {
  static String convert(const letterbox::Cursor& cursor) { return cursor.text().c_str(); }
};

template <>
struct StringMaker<std::vector<uint64_t>> {
  static String convert(const std::vector<uint64_t>& numbers) {
    std::string text;
    for (const uint64_t number : numbers) {
      text += (text.empty() ? "" : " ") + std::to_string(number);
    }
    return text.c_str();
  }
};

template <>
struct StringMaker<std::vector<std::string>> {
  static String convert(const std::vector<std::string>& texts) {
    std::string all;
    for (const auto& text : texts) all += (all.empty() ? "'" : " '") + text + "'";
    return all.c_str();
  }
};

}  // namespace doctest
