// SPDX-License-Identifier: MIT
#include "wait.h"

#include <poll.h>

#include <algorithm>

#include "clock.h"
#include "text.h"

namespace letterbox::bench {
namespace {

constexpr int kBetweenLooks = 10;  // ms
constexpr int64_t kPatience = 10 * kSecond;
constexpr size_t kLogLines = 8;

}  // namespace

Failure failure_with_log(std::string_view what, const std::string& log) {
  std::string text(what);
  const auto lines = split(file_text(log), '\n');
  for (size_t i = lines.size() - std::min(lines.size(), kLogLines); i < lines.size(); ++i) {
    text += "\n    " + lines[i];
  }
  return Failure(text);
}

bool await(const std::function<bool()>& condition, int64_t deadline) {
  while (!condition()) {
    throw_if_interrupted();
    if (now_ns() >= deadline) return false;
    poll(nullptr, 0, kBetweenLooks);
  }
  return true;
}

void require(const std::function<bool()>& condition, std::string_view what,
             const std::string& log) {
  if (!await(condition, now_ns() + kPatience)) throw failure_with_log(what, log);
}

}  // namespace letterbox::bench
