// SPDX-License-Identifier: MIT
//
// Which master is believed in, by what the sentinels say round after round. Of MasterFinder;
// without sockets or a clock, for the loop's thread alone.
//
// Each failover has a number, the config epoch, and is authorised by a majority of the sentinels
// before it takes its number. So:
// 1. A higher epoch than the last one is believed at once, by the word of one sentinel: the one
// that
//    led the failover is the first to know of it, and what the old master takes meanwhile is lost.
// 2. A lower epoch, or another master at the same epoch, is the word of a sentinel that was cut off
//    or came back with an old file. It counts only if a majority of all sentinels that are
//    configured says the same for kDoubtMs, and none confirms the present master meanwhile.
//    (SENTINEL REMOVE and MONITOR begin at 0 again, on each sentinel. SENTINEL RESET keeps the
//    epoch.)
// No number of rounds makes up for the majority: a sentinel that is cut off stays so for as long as
// the network likes.
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
  // while the one that does has died.
  static constexpr uint64_t kDoubtMs = 3000;

  // What one sentinel says.
  struct Word {
    RedisAddress master;
    uint64_t epoch = 0;
  };

  // Of so many sentinels that are configured.
  explicit MasterChoice(size_t sentinels) : sentinels_(sentinels) {}

  // The master after a round in which these sentinels answered, at steady time `now_ms`.
  // REQUIRES: `words` is not empty.
  const RedisAddress& choose(const std::vector<Word>& words, uint64_t now_ms);

 private:
  void believe(const Word& word);
  bool doubted_for_long(const RedisAddress& other, uint64_t now_ms);

  const size_t sentinels_;
  std::optional<Word> believed_;
  // A majority names this one instead, since then.
  std::optional<RedisAddress> rival_;
  uint64_t rival_since_ms_ = 0;
};

}  // namespace letterbox
