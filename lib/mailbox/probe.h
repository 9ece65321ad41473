// SPDX-License-Identifier: MIT
//
// Whether Redis takes a write now, found out by writing: a connection that stands says nothing of a
// Redis that hangs, is full, or has become a replica. For the thread of its loop alone.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "redis/connection.h"

namespace letterbox {

class WriteProbe {
 public:
  // Empty: a write has gone through. Otherwise why not, for a person.
  using Then = std::function<void(const std::string& trouble)>;

  // `program` names the key: see KEYS.md. REQUIRES: the loop has ended before this does.
  WriteProbe(Loop& loop, RedisConnection& redis, std::string_view program);

  // Answered within a second, possibly before it returns. Those who ask at the same time, or a
  // moment after another, share one write.
  void ask(Then then);

 private:
  void write();
  void settle(std::string trouble);

  Loop& loop_;
  RedisConnection& redis_;
  const std::string key_;

  std::vector<Then> waiting_;  // for the write that is on its way; empty: there is none
  uint64_t round_ = 0;         // counts writes, so that the answer of one given up is told apart
  std::optional<Loop::Timer> deadline_;
  std::string trouble_;          // what the last one found,
  uint64_t fresh_until_ms_ = 0;  // and how long that is good for
};

}  // namespace letterbox
