// SPDX-License-Identifier: MIT
//
// GET and DELETE /mailbox: a back end or an administrator views a mailbox, or removes it.
// fcgi/PROTOCOL.md.
#pragma once

#include "base/clock.h"
#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "mailbox/store.h"
#include "model/query.h"

namespace letterbox {

class AdminHandler {
 public:
  // One a worker; `store` is that worker's.
  AdminHandler(Store& store, const Clock& clock);

  // GET /mailbox?user=[&limit=&after=]
  void view(const Query& query, Answer answer) const;
  // DELETE /mailbox?user=[&id=]
  void remove(const Query& query, Answer answer) const;

 private:
  Store& store_;
  const Clock& clock_;
};

}  // namespace letterbox
