// SPDX-License-Identifier: MIT
//
// GET and DELETE /scheduled: a back end or an administrator views the messages that are to be
// pushed to a user later, or cancels one. fcgi/PROTOCOL.md.
#pragma once

#include "fastcgi/answer.h"
#include "mailbox/calendar.h"
#include "model/query.h"

namespace letterbox {

class ScheduledHandler {
 public:
  // One a worker; `calendar` is that worker's.
  explicit ScheduledHandler(Calendar& calendar) : calendar_(calendar) {}

  // GET /scheduled?user=
  void view(const Query& query, Answer answer) const;
  // DELETE /scheduled?id=
  void cancel(const Query& query, Answer answer) const;

 private:
  Calendar& calendar_;
};

}  // namespace letterbox
