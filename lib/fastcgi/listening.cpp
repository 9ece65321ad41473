// SPDX-License-Identifier: MIT
#include "fastcgi/listening.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

#include "base/text.h"

namespace letterbox {

namespace {

constexpr int kBacklog = 4096;  // the kernel's somaxconn caps it
constexpr mode_t kSocketMode = 0660;
constexpr uint64_t kDescriptorMost = 1'000'000;  // more than any process has

std::string reason() { return std::strerror(errno); }

Result<Fd, std::string> inherited(int fd) {
  int listening = 0;
  socklen_t size = sizeof listening;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0) {
    const auto what = "descriptor " + std::to_string(fd) + " is no listening socket";
    return fd == 0 ? what + ": start me by spawn-fcgi, or give --listen" : what;
  }
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return Fd(fd);
}

// Whether the path holds a socket on which no program listens any more. It must be removed first.
bool is_left_over(const sockaddr_un& address) {
  struct stat status {};
  if (stat(address.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

Result<Fd, std::string> listen_on_path(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return "the path of a unix socket can't be that long: " + path;
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (is_left_over(address)) unlink(path.c_str());
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // The mode is set before any client can connect, since the socket does not listen yet.
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      chmod(path.c_str(), kSocketMode) != 0 || listen(fd.get(), kBacklog) != 0) {
    return "can't listen on " + path + ": " + reason();
  }
  return fd;
}

Result<Fd, std::string> listen_on_port(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
    return "not a numeric address and port: " + host + ":" + port;
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  Fd fd(socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || listen(fd.get(), kBacklog) != 0) {
    return "can't listen on " + host + ":" + port + ": " + reason();
  }
  return fd;
}

struct Place {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
};

// Without a family if there is none.
Place place(int fd) {
  Place place;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&place.address), &place.size) != 0) return {};
  return place;
}

}  // namespace

std::string place_of(int listening_fd) {
  const Place at = place(listening_fd);
  const auto* address = reinterpret_cast<const sockaddr*>(&at.address);
  if (address->sa_family == AF_UNIX) {
    const char* path = reinterpret_cast<const sockaddr_un*>(address)->sun_path;
    const size_t most = at.size - offsetof(sockaddr_un, sun_path);
    const std::string name(path, strnlen(path, most));
    return name.empty() ? "a unix socket" : "unix:" + name;
  }
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getnameinfo(address, at.size, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "an unknown socket";
  }
  const std::string text = host;
  return (address->sa_family == AF_INET6 ? "[" + text + "]" : text) + ":" + port;
}

bool is_of_this_machine(int listening_fd) {
  const Place at = place(listening_fd);
  switch (at.address.ss_family) {
    case AF_UNIX:
      return true;
    case AF_INET: {
      const auto* address = reinterpret_cast<const sockaddr_in*>(&at.address);
      return ntohl(address->sin_addr.s_addr) >> 24U == IN_LOOPBACKNET;
    }
    case AF_INET6: {
      const in6_addr& address = reinterpret_cast<const sockaddr_in6*>(&at.address)->sin6_addr;
      if (IN6_IS_ADDR_LOOPBACK(&address)) return true;
      return IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == IN_LOOPBACKNET;
    }
    default:
      return false;
  }
}

Result<Fd, std::string> listen_on(std::string_view where) {
  if (where.empty()) return inherited(0);
  if (where.starts_with("fd:")) {
    const auto number = parse_u64(where.substr(3));
    if (!number || *number > kDescriptorMost) {
      return "not the number of a descriptor: " + std::string(where);
    }
    return inherited(static_cast<int>(*number));
  }
  if (where.starts_with("unix:")) where.remove_prefix(5);
  const size_t colon = where.rfind(':');
  if (where.find('/') != std::string_view::npos || colon == std::string_view::npos) {
    return listen_on_path(std::string(where));
  }
  auto host = where.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return listen_on_port(std::string(host), std::string(where.substr(colon + 1)));
}

}  // namespace letterbox
