// SPDX-License-Identifier: MIT
//
// Waits until replicas of Redis have what was written (--redis-replicas), before the caller is told
// that it is kept. All writes that Redis has answered in one turn of the loop share one WAIT. For
// one worker's thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/callback.h"
#include "base/loop.h"
#include "model/error.h"
#include "redis/redis.h"

namespace letterbox {

class Replicas final : public Loop::Flusher {
 public:
  // REQUIRES: `redis` outlives this object, and its loop has ended before the destructor runs.
  explicit Replicas(Redis& redis) : redis_(redis) {}
  ~Replicas() override;
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;

  // From now on a write succeeds only if `replicas` replicas confirm it within `most_ms`.
  void confirm_by(size_t replicas, uint64_t most_ms);

  // Passes on the outcomes of writes that Redis has answered. Successes become store_unavailable if
  // too few replicas have them.
  template <class T>
  void pass_on(std::vector<Or<T>> outcomes, Callback<void(const std::vector<Or<T>>&)> then) {
    const auto good = [](const auto& outcome) { return bool(outcome); };
    if (replicas_ == 0 || std::none_of(outcomes.begin(), outcomes.end(), good)) {
      return then(outcomes);
    }
    confirm([outcomes = std::move(outcomes), then = std::move(then)](bool confirmed) mutable {
      for (auto& outcome : outcomes) {
        if (outcome && !confirmed) outcome = unconfirmed();
      }
      then(outcomes);
    });
  }

  // Sends a WAIT. The loop calls it at the end of a turn.
  void flush() override;

 private:
  using Then = Callback<void(bool confirmed)>;
  struct Write {
    Then then;
    uint64_t login;  // Redis::logins(): a WAIT says nothing of what went by another connection
  };

  static Error unconfirmed();
  void confirm(Then then);
  void answered(const Reply& reply, const std::vector<Write>& asked_for);

  Redis& redis_;
  size_t replicas_ = 0;  // that must confirm a write
  uint64_t most_ms_ = 0;
  bool confirming_ = false;     // a WAIT is on its way
  std::vector<Write> waiting_;  // for the next WAIT
};

}  // namespace letterbox
