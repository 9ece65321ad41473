// SPDX-License-Identifier: MIT
#include "waiting/review.h"

#include <utility>

namespace letterbox {

namespace {

// Everybody is looked at in portions, so that Redis has time for others.
constexpr size_t kPortion = 200;  // users
constexpr uint64_t kPortionMs = 20;

}  // namespace

Review::Review(const Clock& clock, AdmissionCache& cache, Room& room)
    : clock_(clock), cache_(cache), room_(room) {}

void Review::changed(Desk& desk, Access& access, const std::string& user) {
  cache_.forget(user);
  look_at(desk, access, user);
}

void Review::listening(Desk& desk, Access& access) {
  cache_.open();
  look_on(desk, access, room_.users(), ++round_);
}

void Review::entered(Desk& desk, Access& access, const std::string& user, uint64_t heard) {
  if (cache_.heard() != heard) look_at(desk, access, user);
}

void Review::look_at(Desk& desk, Access& access, const std::string& user) {
  for (const auto& admission : room_.admissions(user)) {
    access.admit(admission->claim, "",
                 [this, &desk, user, key = admission->claim.key()](const Or<Admission>& answer) {
                   // If Redis is away everybody stays, and is looked at when it is back.
                   if (turned_away(answer)) room_.kick(desk, user, key);
                 });
  }
}

void Review::look_on(Desk& desk, Access& access, std::vector<std::string> users, uint64_t round) {
  if (round != round_) return;  // another has begun
  for (size_t i = 0; i < kPortion && !users.empty(); ++i) {
    look_at(desk, access, users.back());
    users.pop_back();
  }
  if (users.empty()) return;
  desk.loop.at(clock_.steady_ms() + kPortionMs,
               [this, &desk, &access, users = std::move(users), round]() mutable {
                 look_on(desk, access, std::move(users), round);
               });
}

}  // namespace letterbox
