// SPDX-License-Identifier: MIT
//
// Looks again at polls that wait in the room, if their admissions may no longer be good.
//
// After a notice about a user, Redis is asked about each admission that let in one of that user's
// polls. When notices are heard (again), Redis is asked about the admissions of all users. A poll
// whose admission is no longer good is answered with Reason::kicked. Invariant: a notice is counted
// before the room is looked at, and a poll that has entered the room is looked at if a notice was
// counted since the poll was let in. So either the notice finds the poll in the room, or the poll
// finds the notice.
// For any thread; Desk and Access are the calling worker's.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "mailbox/access.h"
#include "mailbox/admission_cache.h"
#include "waiting/poll.h"
#include "waiting/room.h"

namespace letterbox {

class Review {
 public:
  Review(const Clock& clock, AdmissionCache& cache, Room& room);

  // A notice about a user came, or Redis turned out to say otherwise without a notice. REQUIRES
  // (here and below): `access` is of the same worker as `desk`, and this is its thread.
  void changed(Desk& desk, Access& access, const std::string& user);
  // From now on notices are heard. Opens the cache, and looks at all users in portions.
  void listening(Desk& desk, Access& access);
  // A poll of this user is in the room; `heard` is what the cache's heard() was before the poll was
  // let in.
  void entered(Desk& desk, Access& access, const std::string& user, uint64_t heard);

 private:
  void look_at(Desk& desk, Access& access, const std::string& user);
  void look_if_any_stands(Desk& desk, Access& access, std::vector<std::string> users);
  void look_on(Desk& desk, Access& access, std::vector<std::string> users, uint64_t round);

  const Clock& clock_;
  AdmissionCache& cache_;
  Room& room_;

  std::atomic<uint64_t> round_{0};  // counts the looks at all users
};

}  // namespace letterbox
