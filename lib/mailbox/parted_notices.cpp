// SPDX-License-Identifier: MIT
#include "mailbox/parted_notices.h"

#include <cassert>
#include <utility>

namespace letterbox {

PartedNotices::PartedNotices(Loop& loop, std::span<Redis* const> parts, Notices::Events events,
                             RedisFigures* figures)
    : events_(std::move(events)), heard_(parts.size()), deaf_(parts.size()) {
  for (size_t i = 0; i < parts.size(); ++i) {
    parts_.push_back(std::make_unique<Notices>(loop, *parts[i], events_of(i), figures));
  }
}

void PartedNotices::start() {
  for (const auto& notices : parts_) notices->start();
}

Notices::Events PartedNotices::events_of(size_t part) {
  return {.heard = events_.heard,
          .listening =
              [this, part] {
                if (!heard_[part]) --deaf_;
                heard_[part] = true;
                if (deaf_ == 0) events_.listening();
              },
          .deaf =
              [this, part] {
                assert(heard_[part]);
                heard_[part] = false;
                if (deaf_++ == 0) events_.deaf();
              }};
}

}  // namespace letterbox
