// SPDX-License-Identifier: MIT
#include "text.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "failure.h"
#include "fd.h"

namespace letterbox::bench {

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string grouped(double value, int digits) {
  std::string out = fixed(value, digits);
  const size_t first = value < 0 ? 1 : 0;  // digit
  size_t point = std::min(out.find('.'), out.size());
  while (point > first + 3) {
    point -= 3;
    out.insert(point, 1, ',');
  }
  return out;
}

std::string rounded(double value) {
  const double size = std::fabs(value);
  if (size < 0.005) return "0";
  if (size >= 99.95) return grouped(value, 0);
  return grouped(value, size >= 9.995 ? 1 : 2);
}

size_t width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string padded_right(std::string_view text, size_t columns) {
  return std::string(text) + std::string(columns - std::min(columns, width(text)), ' ');
}

std::string padded_left(std::string_view text, size_t columns) {
  return std::string(columns - std::min(columns, width(text)), ' ') + std::string(text);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string_view text_after(std::string_view text, std::string_view mark) {
  const size_t at = text.find(mark);
  return at == std::string_view::npos ? std::string_view() : text.substr(at + mark.size());
}

std::string_view quoted_after(std::string_view text, std::string_view mark) {
  const std::string_view rest = text_after(text, mark);
  return rest.substr(0, rest.find('"'));
}

std::string file_text(const std::string& path) {
  // No std::ifstream, which throws if the process of a file in /proc ends while it is being read.
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char bytes[16384];
  for (ssize_t count = 0; (count = read(file.get(), bytes, sizeof bytes)) > 0;) {
    text.append(bytes, static_cast<size_t>(count));
  }
  return text;
}

void write_file(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw system_failure("can't write " + path);
}

}  // namespace letterbox::bench
