// SPDX-License-Identifier: MIT
//
// The quiet lanes of the waiting room, for one part of the data (mailbox/keys.h). A lane is one
// Redis connection blocked in one BLPOP over the lists of several users. Messages ring at the
// program's address (address.h). Lanes hear three other kinds of elements in a user's list: those
// pushed by hand, those that were there before any program watched, and those from programs of a
// version without addresses. Polls hold no connection of their own: N users need about N/128 lanes.
// Each BLPOP answer names the list that the element came from.
//
// BLPOP costs Redis about half a microsecond a key each time it is asked and answered. Lanes are
// filled one after the other, so that a crowd of new users interrupts few of them. A lane that must
// add a mailbox is woken by CLIENT UNBLOCK and asks again. A lane that may drop a mailbox does so
// the next time it asks.
//
// Redis may have fewer connections (`maxclients`) than the wanted number of lanes. Then the
// mailboxes of a refused lane go to a lane that is up, and no new lanes are opened for a while:
// lane_limit.h.
//
// A lane lives on one worker's loop. Which lists it listens to is shared between threads, under the
// mutex.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/sync.h"
#include "waiting/bells.h"
#include "waiting/lane_limit.h"
#include "waiting/listener.h"

namespace letterbox {

class Lane;

class Lanes final : public Bells {
 public:
  // `most` lanes at once; another one is opened when all have `each` mailboxes.
  Lanes(const Clock& clock, size_t most, size_t each = kLaneMailboxes);
  // REQUIRES: the hosts' loops have stopped, and are still there.
  ~Lanes() override;

  // Must be called before watch(). Lanes are spread over the hosts in turn.
  void open(Room& room, std::vector<ListenerHost> hosts, Log& log);

  Place watch(std::string_view user) override EXCLUDES(mutex_);
  void unwatch(const Place& place, std::string_view user) override EXCLUDES(mutex_);
  bool hears(const Place& place) const override { return place_hears(place); }
  // The same, for a place at any Lanes.
  static bool place_hears(const Place& place);

  // The number of open lanes.
  size_t size() const EXCLUDES(mutex_);
  // The number of lanes that Redis had no connection for.
  uint64_t refusals() const { return refusals_.value(); }

 private:
  friend class Lane;
  using LanePtr = std::shared_ptr<Lane>;

  // The lane that now listens for a place: the one that watch() gave, or its heir.
  LanePtr lane_at(const Place& place) const REQUIRES(mutex_);
  LanePtr lane_for_one_more() REQUIRES(mutex_);
  LanePtr heir_of(const LanePtr& lane) const REQUIRES(mutex_);
  void hand_over(const LanePtr& lane, const LanePtr& heir) REQUIRES(mutex_);
  void strike_off(const LanePtr& lane) REQUIRES(mutex_);
  // Redis had no connection for the lane. On the lane's loop.
  void refused(const LanePtr& lane) EXCLUDES(mutex_);
  void settle() EXCLUDES(mutex_);
  void came_up() EXCLUDES(mutex_);
  // Whether a lane may be woken by CLIENT UNBLOCK. If Redis refuses that once, no lane tries it
  // again for kNoInterruptsMs.
  bool may_interrupt() const { return clock_.steady_ms() >= no_interrupts_until_ms_; }
  void forbid_interrupts();
  static void wake(const LanePtr& lane);
  // The keys for the next BLPOP. Empty: the lane has been struck off and must close.
  std::vector<std::string> keys_of(const LanePtr& lane) EXCLUDES(mutex_);
  std::vector<std::string> users_of(const Lane& lane) const EXCLUDES(mutex_);
  bool stale(const Lane& lane) const EXCLUDES(mutex_);
  void bury(const LanePtr& lane) EXCLUDES(mutex_);

  // Constant after open().
  const Clock& clock_;
  const size_t each_;
  Room* room_ = nullptr;
  Log* log_ = nullptr;
  std::vector<ListenerHost> hosts_;

  Counter refusals_;
  std::atomic<uint64_t> no_interrupts_until_ms_{0};  // steady

  mutable Mutex mutex_;
  LaneLimit limit_ GUARDED_BY(mutex_);
  uint64_t log_again_ms_ GUARDED_BY(mutex_) = 0;  // of the next warning; steady
  std::vector<LanePtr> lanes_ GUARDED_BY(mutex_);
  std::vector<LanePtr> struck_off_ GUARDED_BY(mutex_);  // lanes that are not closed yet
  size_t next_host_ GUARDED_BY(mutex_) = 0;
};

}  // namespace letterbox
