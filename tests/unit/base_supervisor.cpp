// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <map>
#include <string>

#include "base/fd.h"
#include "base/supervisor.h"

namespace letterbox {
namespace {

using Variables = std::map<std::string, std::string>;

Supervisor supervised(const Variables& variables) {
  return {[&variables](const char* name) -> const char* {
            const auto found = variables.find(name);
            return found == variables.end() ? nullptr : found->second.c_str();
          },
          getpid()};
}

// The socket that a supervisor listens on: an abstract one if the kernel is to choose its name.
class Listening {
 public:
  explicit Listening(const std::string& path = "") {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), path.size());
    REQUIRE(bind(fd_.get(), reinterpret_cast<sockaddr*>(&name),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size())) == 0);
    socklen_t size = sizeof name;
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&name), &size);
    address =
        path.empty() ? std::string(name.sun_path, size - offsetof(sockaddr_un, sun_path)) : path;
    if (path.empty()) address[0] = '@';
  }

  // The next datagram; "" if there is none.
  std::string heard() const {
    char text[64];
    const ssize_t got = recv(fd_.get(), text, sizeof text, 0);
    return got < 0 ? "" : std::string(text, static_cast<size_t>(got));
  }

  std::string address;

 private:
  Fd fd_{socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
};

TEST_CASE("a supervisor hears each state as one datagram, on a path or an abstract socket") {
  char folder[] = "/tmp/letterbox-supervisor-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/notify";
  for (const std::string& where : {path, std::string()}) {
    const Listening listening(where);
    const auto supervisor = supervised({{"NOTIFY_SOCKET", listening.address}});
    supervisor.tell("READY=1");
    supervisor.tell("STOPPING=1");
    CHECK(listening.heard() == "READY=1");
    CHECK(listening.heard() == "STOPPING=1");
    CHECK(listening.heard().empty());
  }
  unlink(path.c_str());
  rmdir(folder);
}

TEST_CASE(
    "without a supervisor, or with one that is gone or has no address, telling does no harm") {
  for (const std::string address :
       {"", "@", "relative", "/nowhere/notify", "@nobody-listens-here"}) {
    const auto supervisor =
        supervised({{"NOTIFY_SOCKET", address}, {"WATCHDOG_USEC", address.empty() ? "1000" : ""}});
    supervisor.tell("READY=1");
    CHECK(supervisor.watchdog_ms() == 0);
  }
  const std::string long_one(200, 'x');
  supervised({{"NOTIFY_SOCKET", "/" + long_one}}).tell("READY=1");
  Supervisor().tell("READY=1");
}

TEST_CASE("the watchdog is for this process if it is named, or if no process is") {
  const Listening listening;
  const auto period = [&](const std::string& microseconds, const std::string& pid) {
    return supervised({{"NOTIFY_SOCKET", listening.address},
                       {"WATCHDOG_USEC", microseconds},
                       {"WATCHDOG_PID", pid}})
        .watchdog_ms();
  };
  CHECK(period("30000000", "") == 30'000);
  CHECK(period("30000000", std::to_string(getpid())) == 30'000);
  CHECK(period("30000000", std::to_string(getpid() + 1)) == 0);
  CHECK(period("soon", "") == 0);
  CHECK(period("", "") == 0);
}

}  // namespace
}  // namespace letterbox
