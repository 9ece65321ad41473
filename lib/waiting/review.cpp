// SPDX-License-Identifier: MIT
#include "waiting/review.h"

#include <algorithm>
#include <utility>

#include "base/rare.h"

namespace letterbox {

namespace {

// All users are looked at in portions, so that Redis has time for other work.
constexpr size_t kPortion = 200;  // users
constexpr uint64_t kPortionMs = 20;

bool has_token(const std::vector<AdmissionPtr>& admissions) {
  return std::any_of(admissions.begin(), admissions.end(), [](const auto& admission) {
    return admission->claim.proof == Claim::Proof::token;
  });
}

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
                   // If Redis is away all polls stay. They are looked at when Redis is back.
                   if (turned_away(answer)) room_.kick(desk, user, key);
                 });
  }
}

// A user who was let in without a token can lose access only by a kick or a lock, and hardly any
// user has one. So Redis is first asked whether any of these users has.
void Review::look_if_any_stands(Desk& desk, Access& access, std::vector<std::string> users) {
  if (users.empty()) return;
  access.any_stands(users, [this, &desk, &access, users](const Or<bool>& any) {
    if (!any || !*any) return;  // (if Redis is away, as above)
    for (const auto& user : users) look_at(desk, access, user);
  });
}

void Review::look_on(Desk& desk, Access& access, std::vector<std::string> users, uint64_t round) {
  if (round != round_) {
    rare<"another review begins before one is through">();
    return;
  }
  std::vector<std::string> without_token;
  for (size_t i = 0; i < kPortion && !users.empty(); ++i) {
    auto user = std::move(users.back());
    users.pop_back();
    if (has_token(room_.admissions(user))) {
      look_at(desk, access, user);
    } else {
      without_token.push_back(std::move(user));
    }
  }
  look_if_any_stands(desk, access, std::move(without_token));
  if (users.empty()) return;
  desk.loop.at(clock_.steady_ms() + kPortionMs,
               [this, &desk, &access, users = std::move(users), round]() mutable {
                 look_on(desk, access, std::move(users), round);
               });
}

}  // namespace letterbox
