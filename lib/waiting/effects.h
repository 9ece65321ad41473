// SPDX-License-Identifier: MIT
//
// What the waiting room has decided under its mutex. Room::carry_out does it once the mutex is
// released.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "model/error.h"
#include "waiting/ending.h"
#include "waiting/mailbox.h"
#include "waiting/poll.h"

namespace letterbox {

struct Effects {
  using PollPtr = std::shared_ptr<Poll>;

  // Answers the polls that have ended.
  void answer() const;

  // The caller owns the messages in these.
  std::vector<std::pair<PollPtr, Ending>> endings;
  std::vector<std::pair<PollPtr, Portion>> portions;  // of streams, which stay open
  std::vector<std::pair<PollPtr, Error>> refusals;
  std::vector<Note> notes;
  // Polls whose clients' lines are to be written, grouped by the worker that each poll came by.
  // Everything that is written about a poll's client goes through that worker's connection.
  std::map<Desk*, std::vector<PollPtr>> debts;
  std::vector<PollPtr> reads;
};

}  // namespace letterbox
