// SPDX-License-Identifier: MIT
//
// GET /events: a stream of Server-Sent Events out of a mailbox. POST /ack: the client of a stream
// says meanwhile which messages it has. fcgi/PROTOCOL.md.
#pragma once

#include <cstdint>

#include "base/limits.h"
#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "model/query.h"
#include "requests/entrance.h"
#include "requests/event_stream.h"
#include "requests/gate.h"
#include "requests/pinger.h"

namespace letterbox {

struct EventRules {
  uint64_t ping_ms = kStreamPingMs;
};

class EventsHandler {
 public:
  // One a worker. `desk`, `gate` and `entrance` are that worker's.
  EventsHandler(Desk& desk, const Gate& gate, const Entrance& entrance, Room& room,
                const EventRules& rules);

  void events(const Request& request, const Query& query, Answer answer);
  void acknowledge(const Request& request, const Query& query, Answer answer);

 private:
  // What a request asks for, without the user: the gate knows the user.
  struct Wish {
    Question question;
    // Without a cursor, a stream begins where its client stands.
    Start start = Start::kept;
    EventFormat format = EventFormat::json;
  };

  static Or<Wish> read(const Request& request, const Query& query);
  void enter(Visit<Wish> visit);

  Desk& desk_;
  const Gate& gate_;
  const Entrance& entrance_;
  Room& room_;
  Pinger pinger_;
};

}  // namespace letterbox
