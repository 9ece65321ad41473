// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/loop.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/loop_thread.h"

namespace letterbox::test {
namespace {

struct Nobody final : Loop::Watcher {
  void on_ready(uint32_t) override { FAIL("nothing was watched"); }
};

TEST_CASE("a descriptor that epoll refuses is an answer, not the end of the program") {
  const FakeClock clock;
  Loop loop(clock);
  Nobody nobody;
  const Fd file(memfd_create("test", MFD_CLOEXEC));  // epoll takes no files
  CHECK_FALSE(loop.watch(file.get(), EPOLLIN, &nobody));
  CHECK(errno == EPERM);
}

struct Part final : Loop::Flusher {
  Part(char its_name, std::string& its_order) : name(its_name), order(its_order) {}
  void flush() override {
    order += name;
    if (then) std::exchange(then, nullptr)();
  }
  const char name;
  std::string& order;
  std::function<void()> then;
};

TEST_CASE("a loop gathers before it flushes, also if gathering was asked for last") {
  const FakeClock clock;
  Loop loop(clock);
  std::string order;
  Part gatherer('g', order);
  Part flusher('f', order);
  Part gone('x', order);
  loop.flush_later(&flusher);
  loop.gather_later(&gone);
  loop.gather_later(&gatherer);
  loop.forget(&gone);
  // A connection that was not flushed yet is flushed, and one that was flushed is flushed again.
  flusher.then = [&] {
    loop.gather_later(&gatherer);
    loop.flush_later(&flusher);
  };
  loop.stop();
  loop.run();
  CHECK(order == "gfgf");
}

TEST_CASE("work that another thread posts wakes a sleeping loop") {
  LoopThread here;  // without a timer, and its time stands still
  for (int i = 0; i < 100; ++i) {
    auto done = std::make_shared<std::promise<void>>();
    here.loop.post([done] { done->set_value(); });
    const auto within = done->get_future().wait_for(std::chrono::seconds(10));
    REQUIRE(within == std::future_status::ready);
  }
}

}  // namespace
}  // namespace letterbox::test
