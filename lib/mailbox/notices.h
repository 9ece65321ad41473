// SPDX-License-Identifier: MIT
//
// Listens to the notices, a stream in Redis: every lock, kick, unlock and revocation adds the
// user's name to it, so that each program checks that user again. Notices waits at the stream's end
// by a connection of its own. For the thread of its loop alone.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/loop.h"
#include "redis/connection.h"

namespace letterbox {

class Notices {
 public:
  struct Events {
    std::function<void(std::string_view user)> heard;
    // From now on every notice is heard; earlier ones may have been missed.
    std::function<void()> listening;
    // Notices are missed until `listening` is called.
    std::function<void()> deaf;
  };

  // Its connection follows `leader`: see redis/connection.h. `figures` may be null, and are shared.
  // REQUIRES: the loop has ended before the destructor runs.
  Notices(Loop& loop, Redis& leader, Events events, RedisFigures* figures = nullptr);

  void start();

 private:
  void went_down();
  void listen_from_the_end();
  void ask();
  void answered(const Reply& reply);
  void failed(const Reply& reply);
  void take(const Reply& entries);
  void listen_later();

  Loop& loop_;
  const Events events_;
  RedisConnection redis_;
  std::string last_ = "0-0";  // id in the stream
  uint64_t number_ = 0;       // of the last notice; numbers have no holes
  bool listening_ = false;
  std::optional<Loop::Timer> later_;
};

}  // namespace letterbox
