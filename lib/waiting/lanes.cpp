// SPDX-License-Identifier: MIT
#include "waiting/lanes.h"

#include <algorithm>
#include <utility>

#include "mailbox/keys.h"
#include "waiting/lane.h"

namespace letterbox {

namespace {

// So many mailboxes share a lane before another lane is opened.
constexpr size_t kFewKeys = 4;
// So many lanes may be left without a mailbox until they ask again by themselves.
constexpr size_t kSpareLanes = 8;

}  // namespace

Lanes::Lanes(size_t most) : most_(most) {}

Lanes::~Lanes() {
  Lock lock(mutex_);
  for (const auto& list : {lanes_, struck_off_}) {
    for (const auto& lane : list) lane->close();
  }
}

void Lanes::open(Room& room, std::vector<LaneHost> hosts) {
  room_ = &room;
  hosts_ = std::move(hosts);
}

Lanes::LanePtr Lanes::lane_for_one_more() {
  const auto emptiest = std::min_element(
      lanes_.begin(), lanes_.end(),
      [](const LanePtr& a, const LanePtr& b) { return a->keys_.size() < b->keys_.size(); });
  const bool full = emptiest == lanes_.end() || (*emptiest)->keys_.size() >= kFewKeys;
  if (!full || lanes_.size() >= most_) return *emptiest;
  const LaneHost& host = hosts_[next_host_++ % hosts_.size()];
  auto lane = std::make_shared<Lane>(*this, host);
  lanes_.push_back(lane);
  host.desk.loop.post([lane] { lane->start(); });
  return lane;
}

Lanes::Place Lanes::watch(std::string_view user) {
  Lock lock(mutex_);
  const LanePtr lane = lane_for_one_more();
  lane->keys_.push_back(mailbox_key(user));
  wake(lane);
  return lane;
}

void Lanes::unwatch(const Place& place, std::string_view user) {
  const auto lane = std::static_pointer_cast<Lane>(place);
  Lock lock(mutex_);
  const auto found = std::find(lane->keys_.begin(), lane->keys_.end(), mailbox_key(user));
  if (found == lane->keys_.end()) return;
  *found = std::move(lane->keys_.back());
  lane->keys_.pop_back();
  // When a crowd has left, its connections need not wait for their turn to close.
  if (lane->keys_.empty() && lanes_.size() > kSpareLanes) wake(lane);
}

void Lanes::hand_on(const Place& place, std::string_view user, uint64_t since_ms) {
  const auto lane = std::static_pointer_cast<Lane>(place);
  lane->host_.desk.loop.post(
      [lane, user = std::string(user), since_ms] { lane->hand_on(user, since_ms); });
}

// Once is enough, however much changes before the lane has asked again.
void Lanes::wake(const LanePtr& lane) {
  if (std::exchange(lane->stale_, true)) return;
  lane->host_.desk.loop.post([lane] { lane->interrupt(); });
}

std::vector<std::string> Lanes::keys_of(const LanePtr& lane) {
  Lock lock(mutex_);
  lane->stale_ = false;
  if (lane->keys_.empty()) {
    struck_off_.push_back(lane);
    std::erase(lanes_, lane);
  }
  return lane->keys_;
}

std::vector<std::string> Lanes::users_of(const Lane& lane) const {
  Lock lock(mutex_);
  std::vector<std::string> users;
  users.reserve(lane.keys_.size());
  for (const auto& key : lane.keys_) users.emplace_back(mailbox_user(key));
  return users;
}

void Lanes::bury(const LanePtr& lane) {
  Lock lock(mutex_);
  std::erase(struck_off_, lane);
}

bool Lanes::stale(const Lane& lane) const {
  Lock lock(mutex_);
  return lane.stale_;
}

size_t Lanes::size() const {
  Lock lock(mutex_);
  return lanes_.size();
}

}  // namespace letterbox
