// SPDX-License-Identifier: MIT
//
// Stands between a program and Redis, and can lose a connection as a network does: its client
// notices, Redis does not.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "redis/address.h"
#include "tests/redis/redis_server.h"

namespace letterbox::test {

class Relay {
 public:
  // Passes everything on to that port of 127.0.0.1.
  explicit Relay(int to) : to_(to), port_(RedisServer::spare_port()) {
    const sockaddr_in address = loopback(port_);
    if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_.get(), 64) != 0) {
      throw std::runtime_error("no relay at port " + std::to_string(port_));
    }
    thread_ = std::thread([this] { run(); });
  }
  ~Relay() {
    ending_ = true;
    thread_.join();
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  RedisLogin login() const {
    RedisLogin login;
    login.address.host = "127.0.0.1";
    login.address.port = port_;
    login.patience_ms = 10'000;
    return login;
  }

  // Ends all present connections on the client's side alone. Returns when that is done.
  void lose_all() {
    losing_ = true;
    while (losing_) std::this_thread::yield();
  }

 private:
  struct Pair {
    Fd client;
    Fd server;
  };

  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    return address;
  }

  void run() {
    constexpr int kTurnMs = 5;
    while (!ending_) {
      if (losing_) {
        for (Pair& pair : pairs_) pair.client.reset();
        losing_ = false;
      }
      std::vector<pollfd> ready{{listener_.get(), POLLIN, 0}};
      for (const Pair& pair : pairs_) {
        ready.push_back({pair.client.get(), POLLIN, 0});
        ready.push_back({pair.client ? pair.server.get() : -1, POLLIN, 0});
      }
      if (poll(ready.data(), ready.size(), kTurnMs) <= 0) continue;
      for (size_t i = 0; i < pairs_.size(); ++i) {
        Pair& pair = pairs_[i];
        const bool ended = (ready[2 * i + 1].revents != 0 && !pass(pair.client, pair.server)) ||
                           (ready[2 * i + 2].revents != 0 && !pass(pair.server, pair.client));
        if (ended) pair = {};
      }
      if (ready[0].revents != 0) take_in();
    }
  }

  void take_in() {
    Pair pair{Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)),
              Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))};
    const sockaddr_in address = loopback(to_);
    const auto* to = reinterpret_cast<const sockaddr*>(&address);
    if (pair.client && connect(pair.server.get(), to, sizeof address) == 0) {
      pairs_.push_back(std::move(pair));
    }
  }

  // False if one of them has ended.
  static bool pass(const Fd& from, const Fd& to) {
    std::array<char, 65'536> bytes{};
    const ssize_t n = recv(from.get(), bytes.data(), bytes.size(), 0);
    return n > 0 && send(to.get(), bytes.data(), static_cast<size_t>(n), MSG_NOSIGNAL) == n;
  }

  const int to_;
  const int port_;
  const Fd listener_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::vector<Pair> pairs_;  // the thread's
  std::atomic<bool> losing_{false};
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace letterbox::test
