// SPDX-License-Identifier: MIT
//
// One worker's event loop: descriptors (epoll), timers, and work from other threads. Everything
// registered here is called on the one thread that runs run(). Other threads may only call post(),
// stop() and rearm(), which is a bare epoll_ctl.
//
// What a turn has for Redis or nginx is sent at the turn's end, in one write a connection. A
// connection asks for that by flush_later(). A Flusher that makes one command of many asks by
// gather_later().
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/sync.h"

namespace letterbox {

class Loop {
 public:
  // Something with a descriptor. `events` are epoll's.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual void on_ready(uint32_t events) = 0;
  };

  // Something that gathers output during a turn and writes it at the turn's end.
  class Flusher {
   public:
    virtual ~Flusher() = default;
    virtual void flush() = 0;
  };

  using Work = Callback<void()>;
  // A timer's place in the order; invalid once it has fired or was cancelled.
  using Timer = std::multimap<uint64_t, Work>::iterator;

  explicit Loop(const Clock& clock);

  // Level-triggered. False, with errno, if the system watches no more descriptors (ENOSPC, ENOMEM):
  // `fd` is not registered then. REQUIRES: the watcher outlives its registration.
  [[nodiscard]] bool watch(int fd, uint32_t events, Watcher* watcher);
  void unwatch(int fd, Watcher* watcher);
  // Any thread: changes what a registered descriptor is watched for.
  void rearm(int fd, uint32_t events, Watcher* watcher);

  // Calls `work` once, at steady time `at_ms` or soon after.
  Timer at(uint64_t at_ms, Work work);
  void cancel(Timer timer);

  void flush_later(Flusher* flusher);
  // Runs before the flushers of flush_later(): what it writes, they send.
  void gather_later(Flusher* flusher);
  void forget(Flusher* flusher);

  // Any thread: has `work` called on this loop's thread, soon.
  void post(Work work) EXCLUDES(mutex_);
  void stop();

  // Serves until stop(). The clock's steady time is read once a turn and kept in now_ms().
  void run();
  uint64_t now_ms() const { return now_us_ / 1000; }
  uint64_t now_us() const { return now_us_; }
  const Clock& clock() const { return clock_; }

 private:
  void run_due_timers();
  void run_posted() EXCLUDES(mutex_);
  void run_flushers();
  int wait_ms() const;

  // Constant after construction.
  const Clock& clock_;
  Fd epoll_;
  Fd wake_;

  // The loop's thread only.
  uint64_t now_us_;
  std::multimap<uint64_t, Work> timers_;
  std::vector<Flusher*> gatherers_;
  std::vector<Flusher*> flushers_;
  std::array<epoll_event, 64> ready_{};
  int ready_count_ = 0;

  std::atomic<bool> stopping_{false};
  // True while the thread may sleep: only then does post() pay for a wake-up.
  std::atomic<bool> sleeping_{false};

  Mutex mutex_;
  std::vector<Work> posted_ GUARDED_BY(mutex_);
};

}  // namespace letterbox
