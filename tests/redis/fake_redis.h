// SPDX-License-Identifier: MIT
//
// Something that speaks enough of Redis' protocol for a connection to log in, on a socket and a
// thread of its own. What it says to a command, its owner knows.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"

namespace letterbox::test {

class FakeRedis {
 public:
  using Words = std::vector<std::string>;
  // Called on the thread of the fake. Returns the answer as it goes over the wire.
  using Answer = std::function<std::string(const Words& words)>;

  // REQUIRES: `listening` listens.
  FakeRedis(Fd listening, Answer answer)
      : listening_(std::move(listening)),
        answer_(std::move(answer)),
        thread_([this] { serve(); }) {}
  ~FakeRedis() {
    ending_ = true;
    thread_.join();
  }
  FakeRedis(const FakeRedis&) = delete;
  FakeRedis& operator=(const FakeRedis&) = delete;

  // Cut off: hangs up on every connection, old and new.
  void cut_off(bool away = true) { away_ = away; }
  // Silent: carries commands out, and keeps the answers to itself until it is silent no more.
  void be_silent(bool silent = true) { silent_ = silent; }
  // That number of answers is given in spite of the silence.
  void let_out(int answers) { let_out_ += answers; }
  // Connections that came, also while it was cut off.
  int met() const { return met_; }
  // Connections that are open.
  int peers() const { return peers_; }

  static std::string text(std::string_view value) {
    return "$" + std::to_string(value.size()) + "\r\n" + std::string(value) + "\r\n";
  }
  static std::string list(const Words& texts) {
    std::string all = "*" + std::to_string(texts.size()) + "\r\n";
    for (const auto& word : texts) all += text(word);
    return all;
  }

 private:
  struct Peer {
    Fd fd;
    std::string in = {};
    std::deque<std::string> out = {};
  };

  void serve() {
    std::vector<Peer> peers;
    while (!ending_) {
      std::vector<pollfd> ready{{listening_.get(), POLLIN, 0}};
      for (const auto& peer : peers) ready.push_back({peer.fd.get(), POLLIN, 0});
      ::poll(ready.data(), ready.size(), 5);
      if (away_) peers.clear();
      for (size_t i = 0; i < peers.size(); ++i) {
        Peer& peer = peers[i];
        if ((ready[i + 1].revents != 0 && !hear(peer)) || !speak(peer)) peer.fd.reset();
      }
      std::erase_if(peers, [](const auto& peer) { return !peer.fd; });
      if (ready[0].revents != 0) {
        Fd fd(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        ++met_;
        if (fd && !away_) peers.push_back({std::move(fd)});
      }
      peers_ = static_cast<int>(peers.size());
    }
  }

  // False if the peer has hung up.
  bool hear(Peer& peer) const {
    char bytes[65'536];
    const ssize_t n = recv(peer.fd.get(), bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    peer.in.append(bytes, static_cast<size_t>(n));
    for (auto words = take_command(peer.in); !words.empty(); words = take_command(peer.in)) {
      peer.out.push_back(words[0] == "PING" ? "+PONG\r\n" : answer_(words));
    }
    return true;
  }
  bool speak(Peer& peer) {
    std::string out;
    for (; !peer.out.empty() && (!silent_ || let_out_ > 0); peer.out.pop_front()) {
      if (silent_) --let_out_;
      out += peer.out.front();
    }
    return out.empty() || send(peer.fd.get(), out.data(), out.size(), MSG_NOSIGNAL) >= 0;
  }

  // Takes "*2\r\n$4\r\nPING\r\n..." from the front of a text, if it is whole.
  static Words take_command(std::string& text) {
    size_t at = 0;
    const auto number = [&](char mark) -> int {
      const size_t end = text.find("\r\n", at);
      if (at >= text.size() || text[at] != mark || end == std::string::npos) return -1;
      const int value = std::stoi(text.substr(at + 1, end - at - 1));
      at = end + 2;
      return value;
    };
    Words words;
    for (int left = number('*'); left > 0; --left) {
      const int size = number('$');
      if (size < 0 || at + static_cast<size_t>(size) + 2 > text.size()) return {};
      words.push_back(text.substr(at, static_cast<size_t>(size)));
      at += static_cast<size_t>(size) + 2;
    }
    if (!words.empty()) text.erase(0, at);
    return words;
  }

  const Fd listening_;
  const Answer answer_;
  std::atomic<bool> away_{false};
  std::atomic<bool> silent_{false};
  std::atomic<int> let_out_{0};
  std::atomic<int> met_{0};
  std::atomic<int> peers_{0};
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace letterbox::test
