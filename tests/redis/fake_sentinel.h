// SPDX-License-Identifier: MIT
//
// A sentinel that says what a test tells it to, on a unix socket below /tmp.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/fd.h"
#include "redis/address.h"
#include "tests/redis/fake_redis.h"

namespace letterbox::test {

class FakeSentinel {
 public:
  explicit FakeSentinel(int port, uint64_t epoch) : port_(port), epoch_(epoch) {
    if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("no folder below /tmp");
    Fd listening(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string path = address().path;
    std::copy(path.begin(), path.end(), name.sun_path);
    if (bind(listening.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
        listen(listening.get(), 10) != 0) {
      throw std::runtime_error("can't listen on " + path);
    }
    redis_.emplace(std::move(listening), [this](const auto& words) { return answer(words); });
  }
  ~FakeSentinel() {
    redis_.reset();
    std::filesystem::remove_all(folder_);
  }
  FakeSentinel(const FakeSentinel&) = delete;
  FakeSentinel& operator=(const FakeSentinel&) = delete;

  RedisAddress address() const {
    RedisAddress here;
    here.path = folder_ + "/sock";
    return here;
  }

  // From now on this sentinel names that master, since that failover.
  void say(int port, uint64_t epoch) {
    const std::lock_guard lock(mutex_);
    port_ = port;
    epoch_ = epoch;
  }
  // Cut off: hangs up on every connection, old and new.
  void cut_off(bool away = true) { redis_->cut_off(away); }
  // How many times it was asked for the master's address.
  int asked() const { return asked_; }

 private:
  std::string answer(const FakeRedis::Words& words) {
    if (words[0] == "ROLE") return FakeRedis::list({"sentinel"});
    if (words[0] != "SENTINEL") return "+OK\r\n";
    const std::lock_guard lock(mutex_);
    if (words[1] == "master") {
      return FakeRedis::list(
          {"name", words[2], "ip", "127.0.0.1", "config-epoch", std::to_string(epoch_)});
    }
    ++asked_;
    return FakeRedis::list({"127.0.0.1", std::to_string(port_)});
  }

  std::string folder_ = "/tmp/letterbox-sentinel-XXXXXX";
  std::mutex mutex_;
  int port_;
  uint64_t epoch_;
  std::atomic<int> asked_{0};
  std::optional<FakeRedis> redis_;
};

}  // namespace letterbox::test
