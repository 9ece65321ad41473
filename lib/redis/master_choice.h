// SPDX-License-Identifier: MIT
//
// Chooses the master to believe in, by what the sentinels say round after round. Used by
// MasterFinder. Has neither sockets nor a clock. For the loop's thread alone.
//
// Each failover has a number, the config epoch, which it takes once a majority of the sentinels has
// authorised it. So:
// 1. A higher epoch than the last one is believed at once, by the word of one sentinel. The
//    sentinel that led the failover is the first to know of it, and what the old master takes
//    meanwhile is lost.
// 2. A lower epoch, or another master at the same epoch, is the word of a sentinel that was cut off
//    or came back with an old file. It counts only if a majority of all configured sentinels says
//    the same for kDoubtMs, and no sentinel confirms the present master meanwhile.
//    (SENTINEL REMOVE and MONITOR begin at 0 again, on each sentinel. SENTINEL RESET keeps the
//    epoch.)
// The majority is needed however many rounds pass: a sentinel may stay cut off for any length of
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "redis/address.h"

namespace letterbox {

class MasterChoice {
 public:
  // Sentinels tell one another of a failover within 2 s. Until then a majority may not know of it,
  // and the sentinel that knows may have died.
  static constexpr uint64_t kDoubtMs = 3000;

  // What one sentinel says.
  struct Word {
    RedisAddress master;
    uint64_t epoch = 0;
  };

  // `sentinels`: how many sentinels are configured.
  explicit MasterChoice(size_t sentinels) : sentinels_(sentinels) {}

  // The master after a round in which these sentinels answered, at steady time `now_ms`.
  // REQUIRES: `words` is not empty.
  const RedisAddress& choose(const std::vector<Word>& words, uint64_t now_ms);

 private:
  void believe(const Word& word);
  bool doubted_for_long(const RedisAddress& other, uint64_t now_ms);

  const size_t sentinels_;
  std::optional<Word> believed_;
  // The master that a majority names instead, and since when.
  std::optional<RedisAddress> rival_;
  uint64_t rival_since_ms_ = 0;
};

}  // namespace letterbox
