// SPDX-License-Identifier: MIT
//
// What the files of the waiting room have in common, and nobody else needs: room.cpp (who comes
// in), room_turns.cpp (who is read for), room_reading.cpp (what Redis says), room_lookout.cpp (who
// has news after rings that went unheard), room_ending.cpp (how a wait ends), room_notes.cpp (what
// is written down of it).
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "waiting/room.h"

namespace letterbox {

// How long a mailbox is listened to after its last poll was answered, so that the next one finds
// its place warm.
constexpr uint64_t kWarmMs = 5000;
// A poll superseded sooner than this after it was parked is answered only then: two programs that
// fight over one client name take turns once a second instead of thousands of times.
constexpr uint64_t kFightMs = 1000;

// A client's line is written so much after it first came back with something to be written; with
// those of others, so that the room need not wake for each.
constexpr uint64_t kDebtMs = 1000;
constexpr uint64_t kDebtsTogetherMs = 100;
constexpr uint64_t debt_due_ms(uint64_t since_ms) {
  return (since_ms + kDebtMs + kDebtsTogetherMs - 1) / kDebtsTogetherMs * kDebtsTogetherMs;
}

// More than this server takes on.
Error overloaded(std::string message);

// What is to be done once the mutex is released. The endings' texts are the caller's.
struct Room::Answers {
  std::vector<std::pair<PollPtr, Ending>> endings;
  std::vector<std::pair<PollPtr, Error>> refusals;
  std::vector<PollPtr> reads;
  std::vector<Note> notes;
  // Polls whose clients' lines are to be written, by the worker that each came by: what else is
  // written of them is written by the same connection.
  std::map<Desk*, std::vector<PollPtr>> debts;
};

}  // namespace letterbox
