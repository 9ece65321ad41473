// SPDX-License-Identifier: MIT
//
// What --listen may be. Sockets at paths and ports are the e2e tests' (test_programs.py).
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <stdexcept>
#include <string>

#include "base/fd.h"
#include "fastcgi/listening.h"

namespace letterbox::test {
namespace {

Fd listening_socket() {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un unnamed{.sun_family = AF_UNIX, .sun_path = {}};
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&unnamed), sizeof(sa_family_t)) != 0 ||
      listen(fd.get(), 1) != 0) {
    throw std::runtime_error("no listening socket");
  }
  return fd;
}

std::string named(const Fd& fd) { return "fd:" + std::to_string(fd.get()); }

std::string refusal(const std::string& where) {
  auto fd = listen_on(where);
  if (!fd) return fd.error();
  fd->release();
  return "";
}

TEST_CASE("fd:N is the socket that listens on descriptor N, and is made non-blocking") {
  Fd given = listening_socket();
  const auto taken = listen_on(named(given));
  REQUIRE(taken);
  CHECK(taken->get() == given.release());
  CHECK((fcntl(taken->get(), F_GETFL) & O_NONBLOCK) != 0);
}

TEST_CASE("a descriptor that does not listen is refused by its number") {
  const Fd other(eventfd(0, EFD_CLOEXEC));
  CHECK(refusal(named(other)) ==
        "descriptor " + std::to_string(other.get()) + " is no listening socket");
  const Fd idle(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(refusal(named(idle)).ends_with("is no listening socket"));
  CHECK(refusal("fd:999999").ends_with("is no listening socket"));
}

TEST_CASE("what is no number of a descriptor is refused") {
  for (const std::string bad :
       {"fd:", "fd:x", "fd:-1", "fd:3x", "fd: 3", "fd:1000001", "fd:99999999999999999999999"}) {
    CHECK(refusal(bad) == "not the number of a descriptor: " + bad);
  }
}

}  // namespace
}  // namespace letterbox::test
