// SPDX-License-Identifier: MIT
//
// What the files of the waiting room have in common, and nobody else needs: room.cpp (who comes
// in), room_turns.cpp (who is read for), room_reading.cpp (what Redis says), room_lookout.cpp (who
// has news after rings that went unheard), room_ending.cpp (how a wait ends), room_notes.cpp (what
// is written down of it).
#pragma once

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

// More than this server takes on.
Error overloaded(std::string message);

// What is to be done once the mutex is released. The endings' texts are the caller's.
struct Room::Answers {
  std::vector<std::pair<PollPtr, Ending>> endings;
  std::vector<std::pair<PollPtr, Error>> refusals;
  std::vector<PollPtr> reads;
  std::vector<Note> notes;
};

}  // namespace letterbox
