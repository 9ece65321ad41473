// SPDX-License-Identifier: MIT
//
// GET, PUT and DELETE /groups: back ends and administrators manage which users belong to which
// group. fcgi/PROTOCOL.md.
#pragma once

#include <cstddef>

#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "mailbox/groups.h"
#include "model/query.h"

namespace letterbox {

class GroupsHandler {
 public:
  // One a worker. `groups` is that worker's. `members_max`: how many members a group may have.
  GroupsHandler(Groups& groups, size_t members_max);

  // GET /groups?prefix=&after=&limit=
  void list(const Query& query, Answer answer) const;
  // PUT /groups/NAME?replace=
  void put(const Request& request, const Query& query, Answer answer) const;
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
  const size_t members_max_;
};

}  // namespace letterbox
