// SPDX-License-Identifier: MIT
//
// GET and POST /alive: a page says that somebody is there, and hears whether that is still so.
// fcgi/PROTOCOL.md.
#pragma once

#include <string>

#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "handlers/gate.h"
#include "mailbox/presence_book.h"
#include "model/query.h"

namespace letterbox {

class AliveHandler {
 public:
  // One a worker; `desk`, `gate` and `presence` are that worker's. `pace_ms`: who says to be there
  // is online for as long as by a poll of that timeout.
  AliveHandler(Desk& desk, const Gate& gate, PresenceBook& presence, uint64_t pace_ms);

  void alive(const Request& request, const Query& query, Answer answer) const;

 private:
  // Somebody says to be there: as which client, and from where.
  struct Sign {
    std::string client;
    std::string address;
    std::string agent;
  };

  void tell(const AdmissionPtr& admission, const Sign& sign, Answer answer) const;

  Desk& desk_;
  const Gate& gate_;
  PresenceBook& presence_;
  const uint64_t pace_ms_;
};

}  // namespace letterbox
