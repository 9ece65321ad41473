// SPDX-License-Identifier: MIT
//
// GET /events: a stream of Server-Sent Events out of a mailbox; and POST /ack, by which its client
// says in between what it has. fcgi/PROTOCOL.md.
#pragma once

#include <cstdint>

#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "handlers/entrance.h"
#include "handlers/event_stream.h"
#include "handlers/gate.h"
#include "handlers/pinger.h"
#include "model/query.h"

namespace letterbox {

struct EventRules {
  uint64_t ping_ms = 15'000;
};

class EventsHandler {
 public:
  // One a worker; `desk`, `gate` and `entrance` are that worker's.
  EventsHandler(Desk& desk, const Gate& gate, const Entrance& entrance, Room& room,
                const EventRules& rules);

  void events(const Request& request, const Query& query, Answer answer);
  void acknowledge(const Request& request, const Query& query, Answer answer);

 private:
  enum class Start { cursor, newest, kept };
  // What somebody wants, without the user, whom the gate knows.
  struct Wish {
    Question question;
    Start start = Start::kept;
    EventFormat format = EventFormat::json;
  };
  // ... and on whose way back.
  struct Visit {
    Wish wish;
    Sender from;
    uint64_t heard;
    Answer answer;
  };

  static Or<Wish> read(const Request& request, const Query& query);
  void admitted(const AdmissionPtr& admission, Visit visit);
  void enter(Visit visit);

  Desk& desk_;
  const Gate& gate_;
  const Entrance& entrance_;
  Room& room_;
  Pinger pinger_;
};

}  // namespace letterbox
