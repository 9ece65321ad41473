// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include <cerrno>
#include <chrono>
#include <future>
#include <memory>

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

TEST_CASE("work that another thread posts wakes a loop that sleeps") {
  LoopThread here;  // no timer is set, and its time does not pass
  for (int i = 0; i < 100; ++i) {
    auto done = std::make_shared<std::promise<void>>();
    here.loop.post([done] { done->set_value(); });
    const auto within = done->get_future().wait_for(std::chrono::seconds(10));
    REQUIRE(within == std::future_status::ready);
  }
}

}  // namespace
}  // namespace letterbox::test
