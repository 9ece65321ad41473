// SPDX-License-Identifier: MIT
//
// GET /users: who is online, for back ends and administrators. fcgi/PROTOCOL.md.
#pragma once

#include <string>

#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "mailbox/access.h"
#include "mailbox/presence.h"
#include "model/query.h"

namespace letterbox {

class UsersHandler {
 public:
  // One a worker; `presence` and `access` are that worker's.
  UsersHandler(PresenceStore& presence, Access& access);

  // GET /users?prefix=&after=&limit=, or ?user=
  void view(const Query& query, Answer answer) const;

 private:
  void view_one(const std::string& user, Answer answer) const;

  PresenceStore& presence_;
  Access& access_;
};

}  // namespace letterbox
