// SPDX-License-Identifier: MIT
//
// POST /users/kick, /users/lock, /users/unlock: kicks a user, locks a user out, or lets a locked
// user in again. fcgi/PROTOCOL.md.
#pragma once

#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "mailbox/access.h"

namespace letterbox {

class StandingHandler {
 public:
  // One a worker. `access` is that worker's.
  explicit StandingHandler(Access& access);

  void kick(const Request& request, Answer answer) const;
  void lock(const Request& request, Answer answer) const;
  void unlock(const Request& request, Answer answer) const;

 private:
  Access& access_;
};

}  // namespace letterbox
