// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <sys/mman.h>

#include <atomic>
#include <optional>

#include "base/fd.h"
#include "fastcgi/slow_reader.h"
#include "tests/unit/loop_thread.h"

namespace letterbox::test {
namespace {

TEST_CASE("a program gives up on a request at once if its connection can't be watched") {
  LoopThread thread;
  SlowReader reader(thread.loop, 100);
  const Fd file(memfd_create("test", MFD_CLOEXEC));  // epoll takes no files
  std::atomic<int> given_up = 0;
  thread.on_loop([&] {
    reader.add(file.get(), {}, [&](const std::optional<Gathering>& gathered) {
      CHECK_FALSE(gathered);
      ++given_up;
    });
  });
  thread.pass(0);
  CHECK(given_up == 1);
  CHECK(reader.waiting() == 0);
  thread.halt();
}

}  // namespace
}  // namespace letterbox::test
