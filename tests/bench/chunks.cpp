// SPDX-License-Identifier: MIT
#include "chunks.h"

#include <charconv>

namespace letterbox::bench {

ptrdiff_t take_chunk(std::string_view bytes, std::string_view& chunk) {
  const size_t line = bytes.find("\r\n");
  if (line == std::string_view::npos) return 0;
  size_t size = 0;
  const char* begin = bytes.data();
  if (std::from_chars(begin, begin + line, size, 16).ptr != begin + line) return -1;
  const size_t start = line + 2;
  if (bytes.size() < start + size + 2) return 0;
  chunk = bytes.substr(start, size);
  return static_cast<ptrdiff_t>(start + size + 2);
}

ptrdiff_t join_chunks(std::string_view bytes, std::string_view& body, std::string& joined) {
  body = {};
  ptrdiff_t used = 0;
  for (unsigned count = 0;; ++count) {
    std::string_view chunk;
    const ptrdiff_t length = take_chunk(bytes.substr(static_cast<size_t>(used)), chunk);
    if (length <= 0) return length;
    used += length;
    if (chunk.empty()) return used;
    if (count == 1) joined = body;
    if (count >= 1) joined += chunk;
    body = count == 0 ? chunk : std::string_view(joined);
  }
}

}  // namespace letterbox::bench
