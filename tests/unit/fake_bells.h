// SPDX-License-Identifier: MIT
//
// Bells that only remember which users are listened for. The test rings by calling Room::found.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>

#include "waiting/bells.h"

namespace letterbox::test {

class FakeBells final : public Bells {
 public:
  Place watch(std::string_view user) override {
    const auto place = std::make_shared<std::string>(user);
    if (!places_.emplace(user, place).second) throw std::logic_error("watched twice");
    return place;
  }
  void unwatch(const Place& place, std::string_view user) override {
    const auto found = places_.find(std::string(user));
    if (found == places_.end() || found->second != place) throw std::logic_error("not watched");
    places_.erase(found);
  }
  bool hears(const Place&) const override { return hears_; }

  bool watches(const std::string& user) const { return places_.contains(user); }
  size_t size() const { return places_.size(); }
  void deafen() { hears_ = false; }

 private:
  std::unordered_map<std::string, Place> places_;
  bool hears_ = true;
};

}  // namespace letterbox::test
