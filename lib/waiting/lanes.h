// SPDX-License-Identifier: MIT
//
// The quiet lanes of the waiting room. A lane is one Redis connection blocked in one BLPOP over the
// lists of several users. Messages ring at the program's address (address.h); lanes hear what
// somebody pushes into a user's list by hand, what hung there before anybody watched, and what
// programs of a version without addresses hang there. Polls hold no connection of their own: N of
// them need N/128 lanes or so, and what comes back says whose list it was.
//
// BLPOP costs Redis about half a microsecond a key each time it is asked and answered. Lanes are
// filled one after the other, so that a crowd that comes interrupts few of them: a lane that must
// take in another mailbox is woken by CLIENT UNBLOCK and asks again; one that may leave a mailbox
// out does so the next time it asks.
//
// Redis may have fewer connections than lanes are wanted (`maxclients`). Then the mailboxes of a
// lane that was refused go to those that are up, and no more are opened for a while: lane_limit.h.
//
// A lane lives on one worker's loop; which lists it listens to is shared, under the mutex.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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
  Lanes(const Clock& clock, size_t most, size_t each = 128);
  // REQUIRES: the hosts' loops have stopped, and are still there.
  ~Lanes() override;

  // Before anything is watched. Lanes are spread over the hosts in turn.
  void open(Room& room, std::vector<ListenerHost> hosts, Log& log);

  Place watch(std::string_view user) override EXCLUDES(mutex_);
  void unwatch(const Place& place, std::string_view user) override EXCLUDES(mutex_);
  bool hears(const Place& place) const override EXCLUDES(mutex_);

  // Lanes that are open now.
  size_t size() const EXCLUDES(mutex_);
  // Lanes that Redis had no connection for.
  uint64_t refusals() const { return refusals_.value(); }

 private:
  friend class Lane;
  using LanePtr = std::shared_ptr<Lane>;

  // Whose lists are listened to at that place by now.
  LanePtr lane_at(const Place& place) const REQUIRES(mutex_);
  LanePtr lane_for_one_more() REQUIRES(mutex_);
  LanePtr heir_of(const LanePtr& lane) const REQUIRES(mutex_);
  void hand_over(const LanePtr& lane, const LanePtr& heir) REQUIRES(mutex_);
  void strike_off(const LanePtr& lane) REQUIRES(mutex_);
  // Redis had no connection for it. On its loop.
  void refused(const LanePtr& lane) EXCLUDES(mutex_);
  void settle() EXCLUDES(mutex_);
  void came_up() EXCLUDES(mutex_);
  // Whether a lane may be woken by CLIENT UNBLOCK: where that is refused it is not tried again for
  // a while, by any.
  bool may_interrupt() const { return clock_.steady_ms() >= no_interrupts_until_ms_; }
  void forbid_interrupts();
  static void wake(const LanePtr& lane);
  // The keys to ask for; empty: the lane has been struck off and closes.
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
  uint64_t log_again_ms_ GUARDED_BY(mutex_) = 0;  // that Redis has no room; steady
  std::vector<LanePtr> lanes_ GUARDED_BY(mutex_);
  std::vector<LanePtr> struck_off_ GUARDED_BY(mutex_);  // and not closed yet
  size_t next_host_ GUARDED_BY(mutex_) = 0;
};

}  // namespace letterbox
