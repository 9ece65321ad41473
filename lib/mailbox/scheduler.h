// SPDX-License-Identifier: MIT
//
// Pushes the messages of the calendar when they are due. A program has one; for the thread of its
// loop alone. Several programs may have one each: the step that pushes a message takes it out of
// the calendar, so each message is pushed once, whichever program is first.
#pragma once

#include <cstdint>
#include <memory>

#include "base/loop.h"
#include "base/metrics.h"
#include "mailbox/calendar.h"
#include "mailbox/store.h"

namespace letterbox {

class Scheduler {
 public:
  struct Figures {
    Gauge waiting;   // messages in the calendar, of all users
    Counter pushed;  // by this program
    Counter late;    // of these, more than a second after their time
  };

  // The calendar and the store are those of the loop's worker. REQUIRES: the loop has ended before
  // the destructor runs.
  Scheduler(Loop& loop, Calendar& calendar, Store& store);

  // Pushes what is due from now on.
  void start() { look(); }

  // Any thread.
  const Figures& figures() const { return figures_; }

 private:
  struct Round;
  using RoundPtr = std::shared_ptr<Round>;

  void look();
  void look_in(uint64_t ms);
  void found(const Calendar::Look& look);
  void push(const RoundPtr& round, const Calendar::Due& due);
  void pushed(Round& round, const Calendar::Due& due, const Or<Pushed>& outcome);
  void missing(Round& round, const Calendar::Due& due) const;
  void postpone(Round& round, const Calendar::Due& due) const;
  void finish(const RoundPtr& round);

  Loop& loop_;
  Calendar& calendar_;
  Store& store_;
  Figures figures_;
};

}  // namespace letterbox
