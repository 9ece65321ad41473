// SPDX-License-Identifier: MIT
//
// GET /poll: reads the question, and shows it into the waiting room. fcgi/PROTOCOL.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "handlers/entrance.h"
#include "handlers/gate.h"
#include "model/query.h"

namespace letterbox {

struct PollRules {
  uint64_t timeout_ms = 25'000;  // where none is asked for
  uint64_t timeout_max_ms = 50'000;
};

class PollHandler {
 public:
  // One a worker; `gate` and `entrance` are that worker's.
  PollHandler(const Gate& gate, const Entrance& entrance, const PollRules& rules);

  void poll(const Request& request, const Query& query, Answer answer) const;

 private:
  // Without the user, whom the gate knows.
  Or<Question> read(const Request& request, const Query& query) const;
  void enter(const AdmissionPtr& admission, Question question, const Sender& from, uint64_t heard,
             Answer answer) const;

  const Gate& gate_;
  const Entrance& entrance_;
  const PollRules rules_;
};

// `after`, or what a browser sends of its own accord: Last-Event-ID. Error: repeated_parameter.
Or<std::optional<std::string_view>> read_cursor(const Request& request, const Query& query);
// Says in a question from where on it reads. What nobody can have handed out is foreign.
void set_cursor(Question& question, std::string_view text);

// Seconds in the query, from `least_ms` to `most_ms`. Errors: bad_timeout, repeated_parameter.
Or<uint64_t> read_timeout(const Query& query, uint64_t default_ms, uint64_t least_ms,
                          uint64_t most_ms);

}  // namespace letterbox
