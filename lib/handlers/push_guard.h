// SPDX-License-Identifier: MIT
//
// Stands before every route of the private face: who may come in, and how often push. One for all
// workers of a program; any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/rate_limit.h"
#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "model/error.h"

namespace letterbox {

// The keys in the file of --key-file: the present one, and below it, if it is still to be good, the
// one before. The error is a sentence about the file, with none of what is in it.
Result<std::vector<std::string>, std::string> parse_push_keys(std::string_view file);

class PushGuard {
 public:
  // Without a key everybody is let in but pages of other sites (a browser on the back end's machine
  // reaches what that machine reaches), and all share one limit; else each key has its own.
  // `pushes_a_second` may be 0: no limit.
  PushGuard(std::vector<std::string> keys, uint64_t pushes_a_second, const Clock& clock);

  // Answers itself where it returns false. Whether the program lives and is ready anybody may ask.
  bool admits(const Request& request, Answer& answer);

 private:
  std::optional<size_t> key_of(const Request& request) const;

  const std::vector<std::string> keys_;
  const Clock& clock_;
  std::deque<RateLimit> limits_;  // one a key; one where there is none
};

}  // namespace letterbox
