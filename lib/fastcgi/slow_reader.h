// SPDX-License-Identifier: MIT
//
// Waits for requests that arrive in pieces: a body longer than what one look at the socket shows, a
// peer that went silent. It holds no thread: each piece is taken as it comes, on the worker's loop.
// A peer gets five seconds between two pieces. What is held at once is bounded: so many requests,
// each with its parameters and as much body as is allowed; further ones wait in their sockets.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/loop.h"
#include "fastcgi/gathering.h"

namespace letterbox {

class SlowReader {
 public:
  // Called once, on the loop's thread; with nothing where the peer went away, stayed silent, or
  // sent what is no request.
  using Then = std::function<void(std::optional<Gathering>)>;

  // `body_max` is in bytes. `at_once`: requests that are gathered at a time.
  SlowReader(Loop& loop, size_t body_max, size_t at_once = 64);
  ~SlowReader();

  // Reads the request that has begun to arrive on `fd`, and not a byte more. `received` are its
  // first bytes, which have been taken off `fd`. Nobody else may watch `fd` meanwhile.
  void add(int fd, std::span<const unsigned char> received, Then then);

  // Any thread: requests that have not arrived whole.
  size_t waiting() const { return held_; }

 private:
  class Arriving;
  struct Waiting {
    int fd;
    Gathering gathering;
    Then then;
  };

  void begin(Waiting waiting);
  void finish(Arriving& arriving, bool whole);

  // Constant after construction.
  Loop& loop_;
  const size_t body_max_;
  const size_t at_once_;

  std::vector<unsigned char> piece_;
  std::unordered_map<int, std::unique_ptr<Arriving>> arriving_;
  std::deque<Waiting> waiting_;
  std::atomic<size_t> held_{0};
};

}  // namespace letterbox
