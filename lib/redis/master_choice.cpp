// SPDX-License-Identifier: MIT
#include "redis/master_choice.h"

#include <algorithm>
#include <cassert>
#include <iterator>

#include "base/rare.h"

namespace letterbox {

namespace {

using Word = MasterChoice::Word;

size_t count_of(const std::vector<Word>& words, const RedisAddress& master) {
  return static_cast<size_t>(std::count_if(
      words.begin(), words.end(), [&](const Word& word) { return word.master == master; }));
}

// The word with the highest epoch; among words of equal epochs, the one whose master is named most
// often.
const Word& latest(const std::vector<Word>& words) {
  return *std::max_element(words.begin(), words.end(), [&](const Word& a, const Word& b) {
    if (a.epoch != b.epoch) return a.epoch < b.epoch;
    return count_of(words, a.master) < count_of(words, b.master);
  });
}

}  // namespace

const RedisAddress& MasterChoice::choose(const std::vector<Word>& words, uint64_t now_ms) {
  assert(!words.empty());
  const Word& last = latest(words);
  if (!believed_ || last.epoch > believed_->epoch) {
    believe(last);
    return believed_->master;
  }
  const bool confirmed = std::any_of(words.begin(), words.end(), [&](const Word& word) {
    return word.master == believed_->master && word.epoch == believed_->epoch;
  });
  std::vector<Word> majority;
  std::copy_if(words.begin(), words.end(), std::back_inserter(majority),
               [&](const Word& word) { return 2 * count_of(words, word.master) > sentinels_; });
  if (confirmed || majority.empty()) {
    rival_.reset();
  } else if (doubted_for_long(majority.front().master, now_ms)) {
    rare<"a majority of the sentinels contradicts the master for long">();
    believe(latest(majority));
  }
  return believed_->master;
}

void MasterChoice::believe(const Word& word) {
  believed_ = word;
  rival_.reset();
}

bool MasterChoice::doubted_for_long(const RedisAddress& other, uint64_t now_ms) {
  if (rival_ != other) {
    rival_ = other;
    rival_since_ms_ = now_ms;
  }
  assert(now_ms >= rival_since_ms_);
  return now_ms - rival_since_ms_ >= kDoubtMs;
}

}  // namespace letterbox
