// SPDX-License-Identifier: MIT
//
// GET and POST /alive: a page says that its user is there, and hears whether the user is still
// admitted. fcgi/PROTOCOL.md.
#pragma once

#include <string>

#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "mailbox/presence_book.h"
#include "model/query.h"
#include "requests/gate.h"

namespace letterbox {

class AliveHandler {
 public:
  // One a worker. `desk`, `gate` and `presence` are that worker's. A user who says to be there is
  // online for as long as after a poll with the timeout `pace_ms`.
  AliveHandler(Desk& desk, const Gate& gate, PresenceBook& presence, uint64_t pace_ms);

  void alive(const Request& request, const Query& query, Answer answer) const;

 private:
  // A sign of life: the client that gives it, and where it comes from.
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
