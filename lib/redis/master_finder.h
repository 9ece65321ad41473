// SPDX-License-Identifier: MIT
//
// Asks the sentinels for the master's address. It asks all of them at once, since a single one may
// have died with the master. The sentinels disagree for a second or two after a failover. Then the
// sentinel that knows of the latest failover is believed, also in later rounds: a sentinel that was
// cut off never leads back to the old master (MasterChoice says what does).
//
// It asks at each look(), and by itself twice a second. A master that was replaced in good health
// goes on taking writes for seconds, and only the sentinels tell that these will be lost. For the
// loop's thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/loop.h"
#include "base/result.h"
#include "redis/address.h"
#include "redis/connection.h"
#include "redis/master_choice.h"

namespace letterbox {

class MasterFinder {
 public:
  // The result of a round: the master, or a sentence that says why there is none.
  using Found = std::function<void(const Result<RedisAddress, std::string>& master)>;

  // `login` and `log` must outlive the MasterFinder. REQUIRES: login.address names sentinels.
  MasterFinder(Loop& loop, const RedisLogin& login, Log& log, Found found);
  ~MasterFinder();
  MasterFinder(const MasterFinder&) = delete;
  MasterFinder& operator=(const MasterFinder&) = delete;

  // Has `found` called soon, possibly before look() returns. While a round is under way, look()
  // starts no other.
  void look();

 private:
  struct Sentinel {
    RedisLogin login;
    std::unique_ptr<RedisConnection> redis;
  };

  void ask(RedisConnection& sentinel);
  void ask_where(RedisConnection& sentinel, uint64_t epoch);
  void answered();

  // Constant after construction.
  Loop& loop_;
  const std::string name_;
  const Found found_;
  std::vector<Sentinel> sentinels_;

  // The round that is under way:
  size_t asked_ = 0;    // sentinels that have yet to answer
  bool heard_ = false;  // a sentinel has answered
  std::vector<MasterChoice::Word> words_;

  MasterChoice choice_;
  std::optional<Loop::Timer> next_;
};

}  // namespace letterbox
