// SPDX-License-Identifier: MIT
//
// What a back end or an administrator asks about a mailbox. fcgi/PROTOCOL.md.
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

  // GET /mailbox?user=
  void view(const Query& query, Answer answer) const;
  // DELETE /mailbox?user=
  void remove(const Query& query, Answer answer) const;

 private:
  Store& store_;
  const Clock& clock_;
};

}  // namespace letterbox
