// SPDX-License-Identifier: MIT
//
// Listens to the notices of all parts of the data (keys.h): each part has a stream of its own. Who
// is told counts as deaf while one of them is not heard. For the thread of its loop alone.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/loop.h"
#include "mailbox/notices.h"
#include "redis/redis.h"

namespace letterbox {

class PartedNotices {
 public:
  // As Notices.
  PartedNotices(Loop& loop, std::span<Redis* const> parts, Notices::Events events,
                RedisFigures* figures = nullptr);

  void start();

 private:
  Notices::Events events_of(size_t part);

  const Notices::Events events_;
  std::vector<bool> heard_;  // by part
  size_t deaf_;              // parts that are not heard
  std::vector<std::unique_ptr<Notices>> parts_;
};

}  // namespace letterbox
