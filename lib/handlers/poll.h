// SPDX-License-Identifier: MIT
//
// GET /poll: reads the question, and shows it into the waiting room. fcgi/PROTOCOL.md.
#pragma once

#include <cstdint>
#include <string_view>

#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "handlers/gate.h"
#include "mailbox/presence_book.h"
#include "model/query.h"
#include "waiting/room.h"

namespace letterbox {

struct PollRules {
  uint64_t timeout_ms = 25'000;  // where none is asked for
  uint64_t timeout_max_ms = 50'000;
};

class PollHandler {
 public:
  // One a worker; `desk`, `gate` and `presence` are that worker's.
  PollHandler(Desk& desk, const Gate& gate, Room& room, PresenceBook& presence,
              const PollRules& rules);

  void poll(const Request& request, const Query& query, Answer answer) const;

 private:
  // Whom a poll came from, as nginx says.
  struct Sender {
    std::string_view address;
    std::string_view agent;
  };

  // Without the user, whom the gate knows.
  Or<Question> read(const Request& request, const Query& query) const;
  void enter(const Gate::Caller& caller, const AdmissionPtr& admission, Question question,
             const Sender& from, Answer answer) const;

  Desk& desk_;
  const Gate& gate_;
  Room& room_;
  PresenceBook& presence_;
  const PollRules rules_;
};

}  // namespace letterbox
