// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include <cerrno>

#include "base/fd.h"
#include "base/loop.h"
#include "tests/unit/fake_clock.h"

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

}  // namespace
}  // namespace letterbox::test
