// SPDX-License-Identifier: MIT
//
// GET /poll: reads the question, and brings it into the waiting room. fcgi/PROTOCOL.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/limits.h"
#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "model/query.h"
#include "requests/entrance.h"
#include "requests/gate.h"

namespace letterbox {

struct PollRules {
  uint64_t timeout_ms = kPollMs;  // if the request has no timeout=
  uint64_t timeout_max_ms = kPollMostMs;
};

class PollHandler {
 public:
  // One a worker. `gate` and `entrance` are that worker's.
  PollHandler(const Gate& gate, const Entrance& entrance, const PollRules& rules);

  void poll(const Request& request, const Query& query, Answer answer) const;

 private:
  // What a request asks for, without the user: the gate knows the user.
  struct Wish {
    Question question;
    Start start = Start::given;
  };

  Or<Wish> read(const Request& request, const Query& query) const;
  void enter(Visit<Wish> visit) const;

  const Gate& gate_;
  const Entrance& entrance_;
  const PollRules rules_;
};

// Writes into a question the cursor after which it reads. A cursor that Letterbox can't have issued
// is foreign.
void set_cursor(Question& question, std::string_view text);
// The same for the parameter `after`, which may also be `now`: then the cursor is still to be
// found.
Start set_start(Question& question, std::string_view after);

// timeout= in the query: seconds, as ms from `least_ms` to `most_ms`; `default_ms` if it is not
// given. Errors: bad_timeout, repeated_parameter.
Or<uint64_t> read_timeout(const Query& query, uint64_t default_ms, uint64_t least_ms,
                          uint64_t most_ms);

}  // namespace letterbox
