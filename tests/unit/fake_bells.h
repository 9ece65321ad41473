// SPDX-License-Identifier: MIT
//
// Bells that only know who is listened for. The test rings by calling Room::rung itself.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>

#include "mailbox/store.h"
#include "waiting/bells.h"

namespace letterbox::test {

class FakeBells final : public Bells {
 public:
  // What is handed on hangs in `store`.
  explicit FakeBells(Store& store) : store_(store) {}

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
  void hand_on(const Place&, std::string_view user, uint64_t since_ms) override {
    ++stood_back_;
    store_.ring(user, since_ms);
  }

  bool watches(const std::string& user) const { return places_.contains(user); }
  size_t size() const { return places_.size(); }
  size_t stood_back() const { return stood_back_; }
  void deafen() { hears_ = false; }

 private:
  Store& store_;
  std::unordered_map<std::string, Place> places_;
  size_t stood_back_ = 0;
  bool hears_ = true;
};

}  // namespace letterbox::test
