// SPDX-License-Identifier: MIT
//
// A node of a Redis Cluster that says what a test tells it to, on a port of loopback. Its answer to
// a command is its own name and the command's last word: "a:one".
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "redis/address.h"
#include "tests/redis/fake_redis.h"

namespace letterbox::test {

class FakeNode {
 public:
  // What a node is greeted with.
  static constexpr std::string_view kGreeting = "the greeting";

  explicit FakeNode(std::string name, const std::string& host = "127.0.0.1", int port = 0)
      : name_(std::move(name)) {
    Fd listening(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, host.c_str(), &where.sin_addr);
    socklen_t size = sizeof where;
    auto* const generic = reinterpret_cast<sockaddr*>(&where);
    if (bind(listening.get(), generic, size) != 0 || listen(listening.get(), 10) != 0 ||
        getsockname(listening.get(), generic, &size) != 0) {
      throw std::runtime_error("can't listen on " + host);
    }
    address_.host = host;
    address_.port = ntohs(where.sin_port);
    redis_.emplace(std::move(listening), [this](const auto& words) { return answer(words); });
  }

  FakeRedis& redis() { return *redis_; }
  const RedisAddress& address() const { return address_; }

  // Its answer to CLUSTER NODES; an error if that begins with a minus.
  void see(std::string view) { change(view_, std::move(view)); }
  // With what it refuses greetings and commands alike. Empty: it serves.
  void refuse(std::string error) { change(refusal_, std::move(error)); }
  // With what it refuses the next commands, in turn, but no greeting.
  void refuse_next(std::vector<std::string> errors) { change(refused_next_, std::move(errors)); }
  void reign(uint64_t reign) { change(reign_, reign); }
  void forget_scripts() { change(knows_script_, false); }

  // The commands that came, other than greetings and those of logins and looks: their last words.
  std::vector<std::string> heard() const {
    const std::lock_guard lock(mutex_);
    return heard_;
  }
  int greetings() const { return greetings_; }
  int looks() const { return looks_; }

 private:
  template <class T, class U>
  void change(T& what, U value) {
    const std::lock_guard lock(mutex_);
    what = std::move(value);
  }

  std::string answer(const FakeRedis::Words& words) {
    const std::lock_guard lock(mutex_);
    if (words[0] == "CLIENT" || words[0] == "AUTH") return "+OK\r\n";
    if (words[0] == "CLUSTER") {
      ++looks_;
      return view_.starts_with('-') ? view_ + "\r\n" : FakeRedis::text(view_);
    }
    const bool greeting = words[0] == "EVAL" && words[1] == kGreeting;
    if (greeting) {
      ++greetings_;
    } else {
      heard_.push_back((words[0] == "EVAL" ? "source of " : "") + words.back());
    }
    if (!refusal_.empty()) return "-" + refusal_ + "\r\n";
    if (greeting) return FakeRedis::text(std::to_string(reign_));
    if (!refused_next_.empty()) {
      const std::string error = refused_next_.front();
      refused_next_.erase(refused_next_.begin());
      return "-" + error + "\r\n";
    }
    if (words[0] == "EVALSHA" && !knows_script_) return "-NOSCRIPT No matching script.\r\n";
    knows_script_ = true;
    return FakeRedis::text(name_ + ":" + words.back());
  }

  const std::string name_;
  RedisAddress address_;
  mutable std::mutex mutex_;
  std::string view_;
  std::string refusal_;
  std::vector<std::string> refused_next_;
  uint64_t reign_ = 1;
  bool knows_script_ = true;
  std::vector<std::string> heard_;
  std::atomic<int> greetings_{0};
  std::atomic<int> looks_{0};
  std::optional<FakeRedis> redis_;
};

}  // namespace letterbox::test
