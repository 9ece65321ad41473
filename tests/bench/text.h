// SPDX-License-Identifier: MIT
//
// Numbers and pieces of text for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace letterbox::bench {

/// "12345.6", with that many digits after the point.
std::string fixed(double value, int digits);

/// "12,345.6": thousands apart, `digits` after the point.
std::string grouped(double value, int digits = 0);

/// `grouped` with as many digits as make three figures: "0.42", "7.31", "64.2", "12,345".
std::string rounded(double value);

/// The columns that a terminal uses for it: UTF-8 characters are counted, not bytes.
size_t width(std::string_view text);
std::string padded_right(std::string_view text, size_t columns);
std::string padded_left(std::string_view text, size_t columns);

std::vector<std::string> split(std::string_view text, char separator);

/// The text after `mark`, to the end or to the next quotation mark; empty if there is no `mark`.
std::string_view text_after(std::string_view text, std::string_view mark);
std::string_view quoted_after(std::string_view text, std::string_view mark);

/// Empty if it can't be read.
std::string file_text(const std::string& path);

/// Throws Failure if it can't be written.
void write_file(const std::string& path, std::string_view text);

}  // namespace letterbox::bench
