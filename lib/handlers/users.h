// SPDX-License-Identifier: MIT
//
// GET /users tells back ends and administrators which users are online; DELETE /users erases a
// user. fcgi/PROTOCOL.md.
#pragma once

#include <string>

#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "mailbox/access.h"
#include "mailbox/eraser.h"
#include "mailbox/groups.h"
#include "mailbox/presence.h"
#include "model/query.h"

namespace letterbox {

class UsersHandler {
 public:
  // One a worker. All arguments are that worker's.
  UsersHandler(PresenceStore& presence, Access& access, Groups& groups, Eraser& eraser);

  // GET /users?prefix=&after=&limit=, or ?user=
  void view(const Query& query, Answer answer) const;
  // DELETE /users/NAME
  void erase(const Request& request, Answer answer) const;

 private:
  void view_one(const std::string& user, Answer answer) const;

  PresenceStore& presence_;
  Access& access_;
  Groups& groups_;
  Eraser& eraser_;
};

}  // namespace letterbox
