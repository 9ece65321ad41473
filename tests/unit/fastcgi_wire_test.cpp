// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <fcgiapp.h>
#include <sys/resource.h>

#include <optional>
#include <string>

#include "fastcgi/wire.h"
#include "tests/unit/fake_records.h"

namespace letterbox::test {
namespace {

using namespace std::literals;

// While this lives no descriptor can be opened.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

const std::string kRequest = Record{Record::begin_request, 1, "\0\1\1\0\0\0\0\0"s}.bytes() +
                             Record{Record::params, 1, "\x09\x05PATH_INFO/push"s}.bytes() +
                             Record{Record::params}.bytes() + Record{Record::in}.bytes();

std::string path_of(GatheredWire& gathered) {
  FCGX_Init();
  FCGX_Request wire{};
  if (!gathered.read(wire, kRequest)) return "unread";
  std::string path(to_request(wire, 0).path);
  FCGX_Free(&wire, 0);
  return path;
}

TEST_CASE("gathered requests are read once there are descriptors again") {
  std::optional<GatheredWire> gathered;
  {
    const NoDescriptors none;
    gathered.emplace();
    CHECK(path_of(*gathered) == "unread");
  }
  CHECK(path_of(*gathered) == "/push");
  CHECK(path_of(*gathered) == "/push");
}

TEST_CASE("gathered requests are read though no descriptors are left") {
  GatheredWire gathered;
  const NoDescriptors none;
  CHECK(path_of(gathered) == "/push");
}

}  // namespace
}  // namespace letterbox::test
