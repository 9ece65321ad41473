// SPDX-License-Identifier: MIT
//
// What a mailbox may hold, and for how long. Plain values, for the stores of this folder and the
// settings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/limits.h"

namespace letterbox {

struct MailboxLimits {
  size_t messages_kept = kMailboxMessages;
  size_t bytes_kept = kMailboxBytes;        // the newest message is kept in any case
  size_t clients = kUserClients;            // of one user
  uint64_t life_ms = kMailboxLifeMs;        // of a mailbox, since its last push or poll
  uint64_t client_life_ms = kClientLifeMs;  // how long an absent client's messages are kept
  size_t answer_bytes = kAnswerBytes;       // after which an answer takes no further message
  uint64_t record_life_ms = kRecordLifeMs;  // of an idempotent push's record
  uint64_t webhook_ms = 0;                  // unacknowledged for so long: posted; 0: no webhook
  size_t ring_bytes = kRingBytes;           // the longest element that a ring carries
};

// When expiries are renewed and how long they are (ms), as arguments of the scripts. They are
// renewed once a 64th of a mailbox's life has passed, so they are longer by that much. Those of the
// other keys are longer still, so that they outlive `base`.
struct Lives {
  Lives(uint64_t life_ms, uint64_t now)
      : due_before(std::to_string(now - life_ms / 64)),
        base(std::to_string(life_ms + life_ms / 64)),
        others(std::to_string(life_ms + 4 * (life_ms / 64) + 1)) {}

  std::string due_before;
  std::string base;
  std::string others;
};

}  // namespace letterbox
