// SPDX-License-Identifier: MIT
//
// A worker's objects of one kind, one for each part of the data (mailbox/keys.h), and the one to
// which all calls go: the only object, or one that divides the calls among them. As thread-safe as
// these are.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "redis/redis.h"

namespace letterbox {

template <class Interface, class One, class Parted>
class PerPart {
 public:
  // `make` makes the object of a part: std::unique_ptr<One>(Redis&). `more` are what Parted is
  // made with in addition to the objects.
  template <class Make, class... More>
  PerPart(const std::vector<Redis*>& parts, const Make& make, More&&... more) {
    std::vector<Interface*> each;
    each.reserve(parts.size());
    for (Redis* part : parts) each.push_back(objects_.emplace_back(make(*part)).get());
    if (each.size() > 1) parted_.emplace(std::move(each), std::forward<More>(more)...);
  }

  Interface& all() { return parted_ ? static_cast<Interface&>(*parted_) : *objects_.front(); }
  const std::vector<std::unique_ptr<One>>& each() const { return objects_; }

 private:
  std::vector<std::unique_ptr<One>> objects_;
  std::optional<Parted> parted_;  // none: there is one part
};

}  // namespace letterbox
