// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/process.h"

namespace letterbox::test {
namespace {

TEST_CASE("a process knows its memory, processor time and descriptors") {
  const auto before = process_figures();
  CHECK(before.cpu_seconds > 0);
  CHECK(before.resident_bytes > 1'000'000);
  CHECK(before.virtual_bytes > before.resident_bytes);
  CHECK(before.open_fds >= 3);
  CHECK(before.max_fds >= before.open_fds);
  const Fd one(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd another(open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK(process_figures().open_fds == before.open_fds + 2);
}

}  // namespace
}  // namespace letterbox::test
