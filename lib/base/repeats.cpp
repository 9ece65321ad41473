// SPDX-License-Identifier: MIT
#include "base/repeats.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

namespace letterbox {

namespace {

// (If the clock was set back meanwhile, the difference is a huge number, and the window is over.)
bool is_over(uint64_t since_ms, uint64_t now_ms) { return now_ms - since_ms >= Repeats::kWindowMs; }

}  // namespace

bool Repeats::is_new(std::string_view text, uint64_t now_ms) {
  const auto known = std::find_if(said_.begin(), said_.end(),
                                  [&](const Said& said) { return said.count.text == text; });
  if (known != said_.end()) {
    ++known->count.more;
    known->count.last_ms = now_ms;
    return false;
  }
  if (said_.size() == kTexts) {
    if (said_.front().count.more > 0) pushed_out_.push_back(std::move(said_.front().count));
    said_.erase(said_.begin());
  }
  said_.push_back({{std::string(text), 0, now_ms}, now_ms});
  assert(said_.size() <= kTexts);
  return true;
}

std::vector<Repeats::Count> Repeats::due(uint64_t now_ms) {
  auto counts = std::exchange(pushed_out_, {});
  std::vector<Said> go_on;
  for (auto& said : said_) {
    if (!is_over(said.since_ms, now_ms) || said.count.more == 0) continue;
    counts.push_back(said.count);
    go_on.push_back({{std::move(said.count.text), 0, now_ms}, now_ms});
  }
  std::erase_if(said_, [&](const Said& said) { return is_over(said.since_ms, now_ms); });
  std::move(go_on.begin(), go_on.end(), std::back_inserter(said_));
  assert(said_.size() <= kTexts);
  return counts;
}

std::vector<Repeats::Count> Repeats::rest() {
  auto counts = std::exchange(pushed_out_, {});
  for (auto& said : std::exchange(said_, {})) {
    if (said.count.more > 0) counts.push_back(std::move(said.count));
  }
  return counts;
}

}  // namespace letterbox
