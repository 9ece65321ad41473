// SPDX-License-Identifier: MIT
#include "waiting/parted_lanes.h"

#include <algorithm>
#include <cassert>

#include "mailbox/keys.h"

namespace letterbox {

PartedLanes::PartedLanes(const Clock& clock, size_t parts, size_t most, size_t each) {
  assert(parts > 0);
  for (size_t i = 0; i < parts; ++i) {
    parts_.push_back(std::make_unique<Lanes>(clock, std::max<size_t>(most / parts, 1), each));
  }
}

void PartedLanes::open(Room& room,
                       const std::function<std::vector<ListenerHost>(size_t part)>& hosts_of,
                       Log& log) {
  for (size_t i = 0; i < parts_.size(); ++i) parts_[i]->open(room, hosts_of(i), log);
}

Lanes& PartedLanes::lanes_of(std::string_view user) {
  return *parts_[part_of(user, parts_.size())];
}

PartedLanes::Place PartedLanes::watch(std::string_view user) { return lanes_of(user).watch(user); }

void PartedLanes::unwatch(const Place& place, std::string_view user) {
  lanes_of(user).unwatch(place, user);
}

bool PartedLanes::hears(const Place& place) const { return Lanes::place_hears(place); }

size_t PartedLanes::size() const {
  size_t open = 0;
  for (const auto& lanes : parts_) open += lanes->size();
  return open;
}

uint64_t PartedLanes::refusals() const {
  uint64_t refused = 0;
  for (const auto& lanes : parts_) refused += lanes->refusals();
  return refused;
}

}  // namespace letterbox
