// SPDX-License-Identifier: MIT
//
// What --listen may name. Sockets at paths and ports are tested end to end (test_programs.py).
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

TEST_CASE("a descriptor that does not listen is refused, and its number told") {
  const Fd other(eventfd(0, EFD_CLOEXEC));
  CHECK(refusal(named(other)) ==
        "descriptor " + std::to_string(other.get()) + " is no listening socket");
  const Fd idle(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(refusal(named(idle)).ends_with("is no listening socket"));
  CHECK(refusal("fd:999999").ends_with("is no listening socket"));
}

TEST_CASE("anything but the number of a descriptor is refused") {
  for (const std::string bad :
       {"fd:", "fd:x", "fd:-1", "fd:3x", "fd: 3", "fd:1000001", "fd:99999999999999999999999"}) {
    CHECK(refusal(bad) == "not the number of a descriptor: " + bad);
  }
}

struct Listened {
  std::string place;
  bool of_this_machine;

  bool operator==(const Listened&) const = default;
};

// Without the port, which the kernel draws.
Listened listened(const std::string& where) {
  const auto fd = listen_on(where);
  if (!fd) throw std::runtime_error(fd.error());
  const std::string place = place_of(fd->get());
  return {place.substr(0, place.rfind(':')), is_of_this_machine(fd->get())};
}

TEST_CASE("loopback is reached from this machine alone, any other address from elsewhere") {
  CHECK(listened("127.0.0.1:0") == Listened{"127.0.0.1", true});
  CHECK(listened("127.9.8.7:0") == Listened{"127.9.8.7", true});
  CHECK(listened("0.0.0.0:0") == Listened{"0.0.0.0", false});
}

TEST_CASE("so it is with IPv6, and with its addresses that stand for one of IPv4") {
  if (!listen_on("[::1]:0")) return;  // a machine without IPv6
  CHECK(listened("[::1]:0") == Listened{"[::1]", true});
  CHECK(listened("[::ffff:127.0.0.1]:0") == Listened{"[::ffff:127.0.0.1]", true});
  CHECK(listened("[::]:0") == Listened{"[::]", false});
}

TEST_CASE("a unix socket is reached from this machine alone, with a path and without") {
  const Fd unnamed = listening_socket();
  CHECK(is_of_this_machine(unnamed.get()));
  CHECK(place_of(unnamed.get()) == "a unix socket");
  const std::string path = "/tmp/letterbox-listening." + std::to_string(getpid()) + ".sock";
  const auto named = listen_on(path);
  REQUIRE(named);
  CHECK(is_of_this_machine(named->get()));
  CHECK(place_of(named->get()) == "unix:" + path);
  unlink(path.c_str());
}

TEST_CASE("a descriptor that is no socket is an unknown socket") {
  const Fd other(eventfd(0, EFD_CLOEXEC));
  CHECK_FALSE(is_of_this_machine(other.get()));
  CHECK(place_of(other.get()) == "an unknown socket");
}

}  // namespace
}  // namespace letterbox::test
