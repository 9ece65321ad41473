// SPDX-License-Identifier: MIT
//
// Who belongs to which group, for whoever manages them. fcgi/PROTOCOL.md.
#pragma once

#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "mailbox/groups.h"
#include "model/query.h"

namespace letterbox {

class GroupsHandler {
 public:
  // One a worker; `groups` is that worker's.
  explicit GroupsHandler(Groups& groups);

  // PUT /groups/NAME/USER
  void add(const Request& request, Answer answer) const;
  // DELETE /groups/NAME/USER
  void remove(const Request& request, Answer answer) const;
  // DELETE /groups/NAME
  void remove_all(const Request& request, Answer answer) const;
  // GET /groups/NAME?after=&limit=
  void view(const Request& request, const Query& query, Answer answer) const;

 private:
  Groups& groups_;
};

}  // namespace letterbox
