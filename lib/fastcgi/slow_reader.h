// SPDX-License-Identifier: MIT
//
// Waits for requests that arrive in pieces: the body is longer than one look at the socket shows,
// or the peer has paused. The slow reader blocks no thread: it takes each piece as it comes, on the
// worker's loop. A peer may pause for five seconds between two pieces. Memory is bounded: at most
// `at_once` requests are gathered at a time, each with its parameters and as much body as is
// allowed; the rest of further requests waits in their sockets.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/callback.h"
#include "base/loop.h"
#include "fastcgi/gathering.h"

namespace letterbox {

class SlowReader {
 public:
  // Called once, on the loop's thread; with nothing where the peer went away, stayed silent, or
  // sent what is no request.
  using Then = Callback<void(std::optional<Gathering>)>;

  // `body_max`: the longest body, in bytes. `at_once`: the most requests gathered at a time.
  SlowReader(Loop& loop, size_t body_max, size_t at_once = 64);
  ~SlowReader();

  // Reads the request that has begun to arrive on `fd`, and no byte more. `received` are its first
  // bytes, which have been taken off `fd`. REQUIRES: nothing else watches `fd` until `then` is
  // called.
  void add(int fd, std::span<const unsigned char> received, Then then);

  // Any thread: how many requests have not arrived whole.
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
