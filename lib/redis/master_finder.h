// SPDX-License-Identifier: MIT
//
// Asks the sentinels where the master is: all of them at once, since the one that is asked first
// may be the one that died with the master. If they disagree, as they do for a second or two after
// a failover, the one that knows of the latest failover is believed, and it stays believed in later
// rounds: a sentinel that was cut off never leads back to the old master (MasterChoice says what
// does).
//
// It asks at each look(), and by itself twice a second: a master that was replaced in good health
// goes on taking writes for seconds, and nothing but the sentinels says that these will be lost.
// For the loop's thread alone.
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
  // What came of a round: the master, or a sentence why there is none.
  using Found = std::function<void(const Result<RedisAddress, std::string>& master)>;

  // `login` and `log` must outlive it. REQUIRES: login.address names sentinels.
  MasterFinder(Loop& loop, const RedisLogin& login, Log& log, Found found);
  ~MasterFinder();
  MasterFinder(const MasterFinder&) = delete;
  MasterFinder& operator=(const MasterFinder&) = delete;

  // Has `found` called soon, possibly before it returns. While a round is under way it starts no
  // other.
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

  // Of the round that is under way.
  size_t asked_ = 0;    // sentinels that have yet to answer
  bool heard_ = false;  // one of them did
  std::vector<MasterChoice::Word> words_;

  MasterChoice choice_;
  std::optional<Loop::Timer> next_;
};

}  // namespace letterbox
