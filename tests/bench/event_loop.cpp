// SPDX-License-Identifier: MIT
#include "event_loop.h"

#include <algorithm>
#include <cerrno>

#include "clock.h"
#include "failure.h"

namespace letterbox::bench {

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), ready_(256) {
  if (!epoll_) throw system_failure("epoll_create1");
}

void EventLoop::watch(int fd, uint32_t events, EventHandler& handler) {
  epoll_event event{.events = events, .data = {.ptr = &handler}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw system_failure("epoll_ctl");
}

void EventLoop::change(int fd, uint32_t events, EventHandler& handler) {
  epoll_event event{.events = events, .data = {.ptr = &handler}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) throw system_failure("epoll_ctl");
}

bool EventLoop::run_until(int64_t deadline, const std::function<bool()>& done) {
  while (!done()) {
    if (now_ns() >= deadline) return false;
    turn(deadline);
  }
  return true;
}

void EventLoop::run(int64_t deadline) {
  run_until(deadline, [] { return false; });
}

void EventLoop::turn(int64_t deadline) {
  int64_t wake = deadline;
  for (const Timed* timed : timed_) wake = std::min(wake, timed->next_due());
  const int64_t wait = std::max<int64_t>(0, wake - now_ns());
  const timespec patience{.tv_sec = wait / kSecond, .tv_nsec = wait % kSecond};
  const int count = epoll_pwait2(epoll_.get(), ready_.data(), static_cast<int>(ready_.size()),
                                 &patience, nullptr);
  throw_if_interrupted();
  if (count < 0 && errno != EINTR) throw system_failure("epoll_pwait2");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = ready_[static_cast<size_t>(i)];
    static_cast<EventHandler*>(event.data.ptr)->on_event(event.events);
  }
  const int64_t now = now_ns();
  for (Timed* timed : timed_) {
    if (timed->next_due() <= now) timed->on_due(now);
  }
}

}  // namespace letterbox::bench
