// SPDX-License-Identifier: MIT
//
// The generator's single thread: descriptors that become ready, and work that falls due.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "fd.h"

namespace letterbox::bench {

/// Is told when its descriptor is ready. May be told once more after it has closed that descriptor
/// (both were ready at the same time), so it must read and write without blocking.
class EventHandler {
 public:
  virtual ~EventHandler() = default;
  virtual void on_event(uint32_t events) = 0;
};

/// Has work that falls due at a time.
class Timed {
 public:
  virtual ~Timed() = default;
  virtual int64_t next_due() const = 0;  // kNever: nothing planned
  virtual void on_due(int64_t now) = 0;
};

class EventLoop {
 public:
  EventLoop();

  void watch(int fd, uint32_t events, EventHandler& handler);
  void change(int fd, uint32_t events, EventHandler& handler);

  void enlist(Timed& timed) { timed_.push_back(&timed); }
  void dismiss(Timed& timed) { std::erase(timed_, &timed); }

  /// /// Works until `done()`, which is called after every batch of events, or until `deadline`.
  /// True: it is done. Throws Interrupted if the user wants to stop.
  bool run_until(int64_t deadline, const std::function<bool()>& done);

  /// Works until `deadline`.
  void run(int64_t deadline);

 private:
  void turn(int64_t deadline);

  Fd epoll_;
  std::vector<epoll_event> ready_;
  std::vector<Timed*> timed_;
};

}  // namespace letterbox::bench
