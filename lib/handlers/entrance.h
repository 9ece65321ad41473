// SPDX-License-Identifier: MIT
//
// The way into the waiting room, once the gate has admitted somebody: whose poll or stream it is,
// for how long he may stay, and that he is there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "fastcgi/request.h"
#include "handlers/gate.h"
#include "mailbox/presence_book.h"
#include "waiting/room.h"

namespace letterbox {

// Whom a request came from, as nginx says.
struct Sender {
  explicit Sender(const Request& request)
      : address(request.remote_addr), agent(request.user_agent) {}
  std::string address;
  std::string agent;
};

class Entrance {
 public:
  // One a worker; all are that worker's.
  Entrance(Desk& desk, const Gate& gate, Room& room, PresenceBook& presence)
      : desk_(desk), gate_(gate), room_(room), presence_(presence) {}

  // Says in a question who asks it, and cuts it at the end of what he came in by. Error:
  // other_client.
  Or<void> name(Question& question, const AdmissionPtr& admission) const;
  // He is there, and comes again after so long at most.
  void seen(const std::string& user, const std::string& client, const Sender& from,
            uint64_t pace_ms) const;
  // REQUIRES: the question was named. `heard` as Gate::entered().
  void enter(Question question, std::shared_ptr<ReplyTo> reply_to, uint64_t heard) const;

 private:
  Desk& desk_;
  const Gate& gate_;
  Room& room_;
  PresenceBook& presence_;
};

}  // namespace letterbox
