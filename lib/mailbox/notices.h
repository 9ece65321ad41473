// SPDX-License-Identifier: MIT
//
// Hears whom to look at again: a stream in Redis in which every change of who may come in leaves
// the user's name. A connection of its own waits at its end. For the thread of its loop alone.
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
    // From now on everything is heard; what was before may have gone unheard.
    std::function<void()> listening;
    // Until `listening`, what happens is not heard.
    std::function<void()> deaf;
  };

  // Follows the leader: see redis/connection.h. REQUIRES: the loop has ended before this does.
  Notices(Loop& loop, RedisConnection& leader, Events events);

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
  uint64_t number_ = 0;       // counts notices without holes
  bool listening_ = false;
  std::optional<Loop::Timer> later_;
};

}  // namespace letterbox
