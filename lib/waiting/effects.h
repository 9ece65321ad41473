// SPDX-License-Identifier: MIT
//
// What the waiting room has decided, to be done once its mutex is released: Room::carry_out.
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

  // Their messages are the caller's.
  std::vector<std::pair<PollPtr, Ending>> endings;
  std::vector<std::pair<PollPtr, Portion>> portions;  // of streams, which go on
  std::vector<std::pair<PollPtr, Error>> refusals;
  std::vector<Note> notes;
  // Polls whose clients' lines are to be written, by the worker that each came by: what else is
  // written of them is written by the same connection.
  std::map<Desk*, std::vector<PollPtr>> debts;
  std::vector<PollPtr> reads;
};

}  // namespace letterbox
