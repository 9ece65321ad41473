// SPDX-License-Identifier: MIT
//
// What the waiting room needs of the lanes: that somebody listens for what hangs in a user's list.
#pragma once

#include <memory>
#include <string_view>

namespace letterbox {

class Bells {
 public:
  // Where a user's list is listened to; opaque.
  using Place = std::shared_ptr<void>;

  virtual ~Bells() = default;

  // From now on Room::found is called for what comes into the user's list, including what is in it
  // already. Any thread; never calls back before it returns.
  virtual Place watch(std::string_view user) = 0;
  // No longer. What was on its way may still ring.
  virtual void unwatch(const Place& place, std::string_view user) = 0;
  // Whether what comes into the list is heard soon. If not, Room::missed_rings is called for its
  // user again and again, until it is. Any thread.
  virtual bool hears(const Place& place) const = 0;
};

}  // namespace letterbox
