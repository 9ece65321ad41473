// SPDX-License-Identifier: MIT
#include "redis_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>

#include "failure.h"

namespace letterbox::bench {
namespace {

Fd connect_path(const std::string& path) {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path.size() >= sizeof to.sun_path) throw Failure("too long for a socket: " + path);
  std::memcpy(to.sun_path, path.c_str(), path.size());
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fd.reset();
  return fd;
}

Fd connect_port(uint16_t port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fd.reset();
  return fd;
}

}  // namespace

RedisLink::RedisLink(const std::string& address)
    : fd_(address.starts_with('/')
              ? connect_path(address)
              : connect_port(static_cast<uint16_t>(std::atoi(address.c_str())))) {
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  if (fd_) setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

void RedisLink::write(std::initializer_list<std::string_view> words) {
  request_ = '*' + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    request_ += '$' + std::to_string(word.size()) + "\r\n";
    request_ += word;
    request_ += "\r\n";
  }
  const ssize_t written = send(fd_.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
  if (written != static_cast<ssize_t>(request_.size())) throw system_failure("write to redis");
}

std::string RedisLink::read() {
  const std::string line = read_line();
  const int size = std::atoi(line.c_str() + 1);
  if (line.starts_with('*')) {
    std::string all;
    for (int i = 0; i < size; ++i) all += read() + '\n';
    return all;
  }
  if (line.starts_with('$') && size >= 0) {
    while (unread_.size() < static_cast<size_t>(size) + 2) read_more();
    std::string text = unread_.substr(0, static_cast<size_t>(size));
    unread_.erase(0, static_cast<size_t>(size) + 2);
    return text;
  }
  if (line.starts_with('$')) return {};
  return line.starts_with('-') ? line : line.substr(1);
}

std::string RedisLink::read_line() {
  size_t end = 0;
  while ((end = unread_.find("\r\n")) == std::string::npos) read_more();
  std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 2);
  return line;
}

void RedisLink::read_more() {
  char bytes[16384];
  const ssize_t count = recv(fd_.get(), bytes, sizeof bytes, 0);
  throw_if_interrupted();
  if (count <= 0) throw system_failure("read from redis");
  unread_.append(bytes, static_cast<size_t>(count));
}

bool redis_answers(const std::string& address) {
  try {
    RedisLink link(address);
    return link.connected() && link.ask({"PING"}) == "PONG";
  } catch (const Failure&) {  // a Redis that ends has closed the connection
    return false;
  }
}

double info_number(std::string_view info, std::string_view name) {
  const std::string key = std::string(name) + ':';
  const size_t at = info.find(key);
  return at == std::string_view::npos ? 0 : std::atof(info.data() + at + key.size());
}

}  // namespace letterbox::bench
