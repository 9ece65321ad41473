// SPDX-License-Identifier: MIT
#include "base/loop.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <system_error>

namespace letterbox {

namespace {

bool control(int epoll, int op, int fd, uint32_t events, Loop::Watcher* watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = watcher;
  return epoll_ctl(epoll, op, fd, &event) == 0;
}

}  // namespace

Loop::Loop(const Clock& clock)
    : clock_(clock),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      now_us_(clock.steady_us()) {
  if (!epoll_ || !wake_ || !control(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), EPOLLIN, nullptr)) {
    throw std::system_error(errno, std::generic_category(), "epoll");
  }
}

bool Loop::watch(int fd, uint32_t events, Watcher* watcher) {
  assert(fd >= 0 && watcher != nullptr);
  return control(epoll_.get(), EPOLL_CTL_ADD, fd, events, watcher);
}

void Loop::rearm(int fd, uint32_t events, Watcher* watcher) {
  control(epoll_.get(), EPOLL_CTL_MOD, fd, events, watcher);
}

void Loop::unwatch(int fd, Watcher* watcher) {
  assert(watcher != nullptr);
  control(epoll_.get(), EPOLL_CTL_DEL, fd, 0, nullptr);
  // Events of this very turn must not reach a watcher that is about to be destroyed.
  for (int i = 0; i < ready_count_; ++i) {
    auto& event = ready_[static_cast<size_t>(i)];
    if (event.data.ptr == watcher) event.events = 0;
  }
}

Loop::Timer Loop::at(uint64_t at_ms, Work work) {
  assert(work);
  return timers_.emplace(at_ms, std::move(work));
}

void Loop::cancel(Timer timer) {
  assert(!timers_.empty());
  timers_.erase(timer);
}

void Loop::flush_later(Flusher* flusher) {
  assert(flusher != nullptr);
  flushers_.push_back(flusher);
}

void Loop::gather_later(Flusher* flusher) {
  assert(flusher != nullptr);
  gatherers_.push_back(flusher);
}

void Loop::forget(Flusher* flusher) {
  for (auto* asked : {&gatherers_, &flushers_}) {
    std::replace(asked->begin(), asked->end(), flusher, static_cast<Flusher*>(nullptr));
  }
}

void Loop::post(Work work) {
  assert(work);
  {
    Lock lock(mutex_);
    posted_.push_back(std::move(work));
  }
  if (sleeping_.exchange(false)) {
    const uint64_t one = 1;
    [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof one);
  }
}

void Loop::stop() {
  stopping_ = true;
  post([] {});
}

int Loop::wait_ms() const {
  if (timers_.empty()) return -1;
  const uint64_t next = timers_.begin()->first;
  const uint64_t now = clock_.steady_ms();
  return next <= now ? 0 : static_cast<int>(std::min<uint64_t>(next - now, 60'000));
}

void Loop::run_due_timers() {
  while (!timers_.empty() && timers_.begin()->first <= now_ms()) {
    const Work work = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    work();
  }
}

void Loop::run_posted() {
  std::vector<Work> work;
  {
    Lock lock(mutex_);
    work.swap(posted_);
  }
  for (auto& w : work) w();
}

void Loop::run_flushers() {
  // A flusher may add others. They are served in the same turn.
  while (!gatherers_.empty() || !flushers_.empty()) {
    auto& asked = gatherers_.empty() ? flushers_ : gatherers_;
    Flusher* flusher = asked.back();
    asked.pop_back();
    if (flusher != nullptr) flusher->flush();
  }
}

void Loop::run() {
  while (!stopping_) {
    run_flushers();
    // Announce the sleep first, look for posted work second: a thread that posts after the look
    // finds the flag set and wakes this one.
    sleeping_ = true;
    bool work_waits = false;
    {
      Lock lock(mutex_);
      work_waits = !posted_.empty();
    }
    const int timeout = work_waits || stopping_ ? 0 : wait_ms();
    ready_count_ =
        epoll_wait(epoll_.get(), ready_.data(), static_cast<int>(ready_.size()), timeout);
    sleeping_ = false;
    assert(ready_count_ <= static_cast<int>(ready_.size()));
    now_us_ = clock_.steady_us();
    for (int i = 0; i < ready_count_; ++i) {
      const auto event = ready_[static_cast<size_t>(i)];
      if (event.data.ptr == nullptr) {
        uint64_t drained = 0;
        [[maybe_unused]] const auto n = read(wake_.get(), &drained, sizeof drained);
      } else if (event.events != 0) {
        static_cast<Watcher*>(event.data.ptr)->on_ready(event.events);
      }
    }
    ready_count_ = 0;
    run_posted();
    run_due_timers();
  }
  run_flushers();
}

}  // namespace letterbox
