// SPDX-License-Identifier: MIT
//
// Stands before every route of the private face. The guard decides whether a request may come in,
// limits the pushes a second, and counts what comes of each key's requests. One for all workers of
// a program; for any thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/rate_limit.h"
#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "model/error.h"
#include "requests/push_keys.h"

namespace letterbox {

class PushGuard {
 public:
  // Without keys the guard lets all requests in except two kinds, and all requests share one limit.
  // It refuses pages of other sites: a browser on the back end's machine reaches what that machine
  // reaches. It refuses requests that a proxy has forwarded: for nginx, such a request comes from
  // that machine, no matter which client sent it. With keys, each key has its own limit, and a
  // request needs one that has its scope. `pushes_a_second` may be 0: no limit. Refusals are
  // logged.
  PushGuard(std::vector<PushKey> keys, uint64_t pushes_a_second, const Clock& clock, Log& log);

  // If admits() returns false, it has answered the request. Any request may ask whether the program
  // lives and is ready.
  bool admits(const Request& request, Answer& answer);

  // What became of requests. The outcomes are `admitted`, and the codes of the refusals.
  enum class Outcome { admitted, cross_site, forwarded, bad_key, wrong_scope, too_fast };
  static constexpr size_t kOutcomes = 6;
  static std::string_view name(Outcome outcome);
  struct Figures {
    std::string key;  // its name; empty: no key, or a wrong one
    std::array<Counter, kOutcomes> outcomes = {};
  };
  // One for each name. Any thread may read.
  const std::deque<Figures>& figures() const { return figures_; }

 private:
  std::optional<size_t> key_of(const Request& request) const;
  bool refuse(Figures& figures, Outcome outcome, const Error& error, std::string_view who,
              Answer& answer);

  const std::vector<PushKey> keys_;
  const Clock& clock_;
  Log& log_;
  std::deque<RateLimit> limits_;      // one a key; one if there is no key
  std::deque<Figures> figures_;       // the first is that of requests without a key
  std::vector<Figures*> figures_of_;  // a key's, by its index
};

}  // namespace letterbox
