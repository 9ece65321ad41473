// SPDX-License-Identifier: MIT
//
// A sentinel that says what a test wants, on a unix socket below /tmp: enough of Redis' protocol
// for a connection to log in and to ask for a master.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "redis/address.h"

namespace letterbox::test {

class FakeSentinel {
 public:
  explicit FakeSentinel(int port, uint64_t epoch) : port_(port), epoch_(epoch) {
    if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("no folder below /tmp");
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string path = address().path;
    std::copy(path.begin(), path.end(), name.sun_path);
    if (bind(listening_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
        listen(listening_.get(), 10) != 0) {
      throw std::runtime_error("can't listen on " + path);
    }
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeSentinel() {
    ending_ = true;
    thread_.join();
    std::filesystem::remove_all(folder_);
  }
  FakeSentinel(const FakeSentinel&) = delete;
  FakeSentinel& operator=(const FakeSentinel&) = delete;

  RedisAddress address() const {
    RedisAddress here;
    here.path = folder_ + "/sock";
    return here;
  }

  // From now on the master is there, since that failover.
  void say(int port, uint64_t epoch) {
    const std::lock_guard lock(mutex_);
    port_ = port;
    epoch_ = epoch;
  }
  // Cut off: whoever is connected is hung up on, and so is whoever comes.
  void cut_off(bool away = true) { away_ = away; }
  // How many times it was asked for the master's address.
  int asked() const { return asked_; }

 private:
  void serve() {
    std::vector<std::pair<Fd, std::string>> peers;
    while (!ending_) {
      std::vector<pollfd> ready{{listening_.get(), POLLIN, 0}};
      for (const auto& [fd, text] : peers) ready.push_back({fd.get(), POLLIN, 0});
      ::poll(ready.data(), ready.size(), 5);
      if (away_) peers.clear();
      for (size_t i = 0; i < peers.size(); ++i) {
        if (ready[i + 1].revents != 0 && !talk(peers[i])) peers[i].first.reset();
      }
      std::erase_if(peers, [](const auto& peer) { return !peer.first; });
      if (ready[0].revents == 0) continue;
      Fd fd(accept(listening_.get(), nullptr, nullptr));
      if (!away_) peers.emplace_back(std::move(fd), "");
    }
  }

  // False if the peer has hung up.
  bool talk(std::pair<Fd, std::string>& peer) {
    char bytes[4096];
    const ssize_t n = recv(peer.first.get(), bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    auto& text = peer.second;
    text.append(bytes, static_cast<size_t>(n));
    std::string answers;
    for (auto words = take_command(text); !words.empty(); words = take_command(text)) {
      answers += answer(words);
    }
    return send(peer.first.get(), answers.data(), answers.size(), MSG_NOSIGNAL) >= 0;
  }

  // "*2\r\n$4\r\nPING\r\n..." from the front of a text, if it is whole.
  static std::vector<std::string> take_command(std::string& text) {
    size_t at = 0;
    const auto number = [&](char mark) -> int {
      const size_t end = text.find("\r\n", at);
      if (at >= text.size() || text[at] != mark || end == std::string::npos) return -1;
      const int value = std::stoi(text.substr(at + 1, end - at - 1));
      at = end + 2;
      return value;
    };
    std::vector<std::string> words;
    for (int left = number('*'); left > 0; --left) {
      const int size = number('$');
      if (size < 0 || at + static_cast<size_t>(size) + 2 > text.size()) return {};
      words.push_back(text.substr(at, static_cast<size_t>(size)));
      at += static_cast<size_t>(size) + 2;
    }
    if (!words.empty()) text.erase(0, at);
    return words;
  }

  std::string answer(const std::vector<std::string>& words) {
    if (words[0] == "PING") return "+PONG\r\n";
    if (words[0] == "ROLE") return list({"sentinel"});
    if (words[0] != "SENTINEL") return "+OK\r\n";
    const std::lock_guard lock(mutex_);
    if (words[1] == "master") {
      return list({"name", words[2], "ip", "127.0.0.1", "config-epoch", std::to_string(epoch_)});
    }
    ++asked_;
    return list({"127.0.0.1", std::to_string(port_)});
  }

  static std::string list(const std::vector<std::string>& texts) {
    std::string all = "*" + std::to_string(texts.size()) + "\r\n";
    for (const auto& text : texts) {
      all += "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
    }
    return all;
  }

  std::string folder_ = "/tmp/letterbox-sentinel-XXXXXX";
  const Fd listening_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::mutex mutex_;
  int port_;
  uint64_t epoch_;
  std::atomic<int> asked_{0};
  std::atomic<bool> away_{false};
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace letterbox::test
