// SPDX-License-Identifier: MIT
//
// A loop that runs on a thread of its own, with a clock in the test's hands.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <thread>

#include "base/loop.h"
#include "tests/unit/fake_clock.h"

namespace letterbox::test {

struct LoopThread {
  LoopThread() : thread([this] { loop.run(); }) {}
  ~LoopThread() { halt(); }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  // Ends the thread; objects on the loop may be destroyed after that.
  void halt() {
    if (!thread.joinable()) return;
    loop.stop();
    thread.join();
  }

  // Returns when the task is done, and so is the turn before it.
  void on_loop(const std::function<void()>& work) {
    std::promise<void> done;
    loop.post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  // Returns when the timers that are due by then have fired.
  void pass(uint64_t ms) {
    clock.pass(ms);
    for (int turn = 0; turn < 2; ++turn) on_loop([] {});
  }

  FakeClock clock;
  Loop loop{clock};
  std::thread thread;
};

}  // namespace letterbox::test
