// SPDX-License-Identifier: MIT
#include "requests/pinger.h"

#include <algorithm>
#include <cassert>

namespace letterbox {

namespace {

// Streams that are due within this time are pinged together: the loop wakes once for them.
constexpr uint64_t kTogetherMs = 20;

}  // namespace

void Pinger::add(std::weak_ptr<Pinged> who) {
  line_.emplace_back(loop_.clock().steady_ms() + every_ms_, std::move(who));
  if (!timer_) wake(line_.front().first);
}

void Pinger::wake(uint64_t at_ms) {
  assert(!timer_ && !line_.empty());
  timer_ = loop_.at(at_ms, [this] {
    timer_.reset();
    call();
  });
}

void Pinger::call() {
  const uint64_t now = loop_.clock().steady_ms();
  while (!line_.empty() && line_.front().first <= now) {
    auto who = std::move(line_.front().second);
    line_.pop_front();
    const auto pinged = who.lock();
    if (pinged && pinged->ping()) line_.emplace_back(now + every_ms_, std::move(who));
  }
  if (!line_.empty()) wake(std::max(line_.front().first, now + kTogetherMs));
}

}  // namespace letterbox
