// SPDX-License-Identifier: MIT
//
// Finds out by a write whether Redis takes writes now: a connection that is up says nothing about a
// Redis that hangs, is full, or has become a replica. For /readyz. WriteProbe asks one Redis, or
// one part of a cluster; PartedProbe asks all parts. For the thread of its loop alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "base/loop.h"
#include "redis/redis.h"

namespace letterbox {

class Probe {
 public:
  // Empty: a write has gone through. Otherwise why not, for a person.
  using Then = Callback<void(const std::string& trouble)>;

  virtual ~Probe() = default;

  // `then` is called within a second, possibly before ask() returns.
  virtual void ask(Then then) = 0;
};

class WriteProbe final : public Probe {
 public:
  // `program` names the key: see KEYS.md. REQUIRES: the loop has ended before the destructor runs.
  WriteProbe(Loop& loop, Redis& redis, std::string_view program);

  // Callers share one write if they ask while it is on its way or within 250 ms of its answer.
  void ask(Then then) override;

 private:
  void write();
  void settle(std::string trouble);

  Loop& loop_;
  Redis& redis_;
  const std::string key_;

  std::vector<Then> waiting_;  // for the write on its way; empty: there is none
  uint64_t round_ = 0;         // counts writes, so that a late answer to an earlier one is ignored
  std::optional<Loop::Timer> deadline_;
  std::string trouble_;          // what the last write found
  uint64_t fresh_until_ms_ = 0;  // how long that may be given as an answer; steady
};

}  // namespace letterbox
