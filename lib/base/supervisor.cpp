// SPDX-License-Identifier: MIT
#include "base/supervisor.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "base/text.h"

namespace letterbox {

namespace {

std::string_view value_of(const Supervisor::Environment& environment, const char* name) {
  const char* value = environment(name);
  return value == nullptr ? "" : value;
}

// A path, or a name without one: "@name" is how the environment writes the latter.
std::string address_of(std::string_view text) {
  std::string address(text);
  if (address.size() < 2 || address.size() > sizeof(sockaddr_un::sun_path)) return "";
  if (address[0] == '@') address[0] = '\0';
  return address[0] == '\0' || address[0] == '/' ? address : "";
}

}  // namespace

Supervisor::Supervisor(const Environment& environment, pid_t self)
    : address_(address_of(value_of(environment, "NOTIFY_SOCKET"))) {
  if (address_.empty()) return;
  socket_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The variables are inherited: the watchdog may be meant for another process.
  const auto whom = value_of(environment, "WATCHDOG_PID");
  if (!whom.empty() && parse_u64(whom) != static_cast<uint64_t>(self)) return;
  watchdog_ms_ = parse_u64(value_of(environment, "WATCHDOG_USEC")).value_or(0) / 1000;
}

void Supervisor::tell(std::string_view state) const {
  if (!socket_) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  [[maybe_unused]] const auto sent = sendto(socket_.get(), state.data(), state.size(), MSG_NOSIGNAL,
                                            reinterpret_cast<const sockaddr*>(&to), size);
}

}  // namespace letterbox
