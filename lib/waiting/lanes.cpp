// SPDX-License-Identifier: MIT
#include "waiting/lanes.h"

#include <algorithm>
#include <cassert>
#include <tuple>
#include <utility>

#include "base/rare.h"
#include "mailbox/keys.h"
#include "waiting/lane.h"
#include "waiting/room.h"

namespace letterbox {

namespace {

// Up to this many lanes, a lane without a mailbox stays open until it asks again by itself.
constexpr size_t kSpareLanes = 8;
constexpr uint64_t kNoInterruptsMs = 60'000;
constexpr uint64_t kLogAgainMs = 3'600'000;

}  // namespace

Lanes::Lanes(const Clock& clock, size_t most, size_t each)
    : clock_(clock), each_(each), limit_(most) {}

Lanes::~Lanes() {
  Lock lock(mutex_);
  for (const auto& list : {lanes_, struck_off_}) {
    for (const auto& lane : list) lane->close();
  }
}

void Lanes::open(Room& room, std::vector<ListenerHost> hosts, Log& log) {
  room_ = &room;
  log_ = &log;
  hosts_ = std::move(hosts);
  assert(!hosts_.empty());
}

// The fullest lane that has room; if none has, a new lane; if no more may be opened, the emptiest.
Lanes::LanePtr Lanes::lane_for_one_more() {
  const auto rank = [this](const LanePtr& lane) {
    const size_t keys = lane->keys_.size();
    return std::tuple(!lane->hears(), keys >= each_, keys >= each_ ? keys : each_ - keys);
  };
  const auto best =
      std::min_element(lanes_.begin(), lanes_.end(),
                       [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  const bool room = best != lanes_.end() && (*best)->hears() && (*best)->keys_.size() < each_;
  if (room || !limit_.one_more(lanes_.size(), clock_.steady_ms())) return *best;
  assert(!hosts_.empty());
  const ListenerHost& host = hosts_[next_host_++ % hosts_.size()];
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

Lanes::LanePtr Lanes::lane_at(const Place& place) const {
  auto lane = std::static_pointer_cast<Lane>(place);
  assert(lane && lane->heir_ != lane);
  while (lane->heir_) lane = lane->heir_;
  return lane;
}

void Lanes::unwatch(const Place& place, std::string_view user) {
  Lock lock(mutex_);
  const auto lane = lane_at(place);
  const auto found = std::find(lane->keys_.begin(), lane->keys_.end(), mailbox_key(user));
  if (found == lane->keys_.end()) return;
  *found = std::move(lane->keys_.back());
  lane->keys_.pop_back();
  // After a crowd has left, its lanes close at once instead of at the end of their BLPOP.
  if (lane->keys_.empty() && lanes_.size() > kSpareLanes) wake(lane);
}

bool Lanes::place_hears(const Place& place) {
  const auto lane = std::static_pointer_cast<Lane>(place);
  if (lane->hears()) return true;
  const Lanes& its = lane->lanes_;
  Lock lock(its.mutex_);
  return its.lane_at(place)->hears();
}

// One interrupt is enough, however many keys change before the lane asks again.
void Lanes::wake(const LanePtr& lane) {
  if (std::exchange(lane->stale_, true)) return;
  lane->host_.desk.loop.post([lane] { lane->interrupt_soon(); });
}

std::vector<std::string> Lanes::keys_of(const LanePtr& lane) {
  Lock lock(mutex_);
  lane->stale_ = false;
  if (lane->keys_.empty()) strike_off(lane);
  return lane->keys_;
}

void Lanes::strike_off(const LanePtr& lane) {
  if (std::erase(lanes_, lane) > 0) struck_off_.push_back(lane);
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

void Lanes::came_up() {
  Lock lock(mutex_);
  limit_.came_up(clock_.steady_ms());
}

void Lanes::forbid_interrupts() { no_interrupts_until_ms_ = clock_.steady_ms() + kNoInterruptsMs; }

// --- if Redis has no more connections --------------------------------------------------------

// If there is no other lane, this one goes on trying, and its mailboxes are looked at.
void Lanes::refused(const LanePtr& lane) {
  const auto users = users_of(*lane);
  {
    Lock lock(mutex_);
    if (limit_.refused()) {
      lane->host_.desk.loop.at(clock_.steady_ms() + LaneLimit::kSettleMs, [this] { settle(); });
    }
    if (!lane->heir_) {
      rare<"Redis has no connection for a lane">();
      const auto heir = heir_of(lane);
      if (!heir) return;
      hand_over(lane, heir);
    }
  }
  refusals_.add();
  lane->close();
  bury(lane);
  // The lane may have been up before, and Redis may have given it elements that it never read.
  room_->missed_rings(lane->host_.desk, users);
}

Lanes::LanePtr Lanes::heir_of(const LanePtr& lane) const {
  const auto rank = [&](const LanePtr& other) {
    return std::tuple(other == lane, other->state_.load(), other->keys_.size());
  };
  const auto best =
      std::min_element(lanes_.begin(), lanes_.end(),
                       [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return best == lanes_.end() || *best == lane ? nullptr : *best;
}

void Lanes::hand_over(const LanePtr& lane, const LanePtr& heir) {
  assert(heir && heir != lane && !lane->heir_ && !heir->heir_);
  heir->keys_.insert(heir->keys_.end(), lane->keys_.begin(), lane->keys_.end());
  lane->keys_.clear();
  lane->heir_ = heir;
  lane->state_ = Lane::State::deaf;  // so that hears() asks the heir
  strike_off(lane);
  wake(heir);
}

// The number of lanes that Redis takes is known by now. Some of them are closed, so that other
// clients of Redis may log in.
void Lanes::settle() {
  std::vector<LanePtr> up;
  size_t mailboxes = 0;
  Lock lock(mutex_);
  for (const auto& lane : lanes_) {
    mailboxes += lane->keys_.size();
    if (lane->state_ == Lane::State::hears) up.push_back(lane);
  }
  const uint64_t now = clock_.steady_ms();
  const size_t closing = limit_.settle(up.size(), now);
  for (size_t i = 0; i < closing; ++i) {
    rare<"a lane is closed so that others may log in">();
    hand_over(up[i], heir_of(up[i]));
    wake(up[i]);
  }
  if (now < log_again_ms_) return;
  log_again_ms_ = now + kLogAgainMs;
  log_->warn("redis has no more connections for lanes (its maxclients?): ", up.size() - closing,
             " listen for ", mailboxes, " mailboxes");
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
