// SPDX-License-Identifier: MIT
//
// What the waiting room needs of the lanes: a lane listens for the elements in a user's list.
#pragma once

#include <memory>
#include <string_view>

namespace letterbox {

class Bells {
 public:
  // A user's place among the lanes; opaque.
  using Place = std::shared_ptr<void>;

  virtual ~Bells() = default;

  // From now on Room::found is called for each element of the user's list, including those already
  // in it. Any thread; never calls back before it returns.
  virtual Place watch(std::string_view user) = 0;
  // Ends watch(). An element that was on its way may still ring.
  virtual void unwatch(const Place& place, std::string_view user) = 0;
  // Whether an element that comes into the list is heard soon. If not, Room::missed_rings is called
  // for the user again and again until it is. Any thread.
  virtual bool hears(const Place& place) const = 0;
};

}  // namespace letterbox
