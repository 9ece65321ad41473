// SPDX-License-Identifier: MIT
#include "waiting/door.h"

#include <utility>

namespace letterbox {

namespace {

// How long somebody is known before being asked for anew.
constexpr uint64_t kStaleMs = 60'000;
// After as many users with a notice everything is forgotten: so that nothing grows.
constexpr size_t kNoticedMost = 10'000;
// Everybody is looked at in portions, so that Redis has time for others.
constexpr size_t kPortion = 200;
constexpr uint64_t kPortionMs = 20;

}  // namespace

Door::Door(const Clock& clock, Room& room, size_t most) : clock_(clock), room_(room), most_(most) {}

Door::AdmissionPtr Door::known(const std::string& key, bool& stale) {
  Lock lock(mutex_);
  Known* entry = open_ ? find(key) : nullptr;
  if (entry == nullptr) return nullptr;
  const auto& admission = entry->admission;
  if (admission->expires_ms != 0 && admission->expires_ms <= clock_.wall_ms()) return nullptr;
  const auto noticed = noticed_.find(admission->claim.user);
  if (noticed != noticed_.end() && noticed->second > entry->heard) return nullptr;
  const uint64_t now = clock_.steady_ms();
  stale = now >= entry->asked_ms + kStaleMs;
  if (stale) entry->asked_ms = now;  // one asks, not all that come meanwhile
  return admission;
}

Door::Known* Door::find(const std::string& key) {
  const auto found = book_.find(key);
  if (found != book_.end()) return &found->second;
  const auto old = old_book_.find(key);
  if (old == old_book_.end()) return nullptr;
  write(key, Known(old->second));
  return &book_.at(key);
}

// Into the new book. When that is full, it becomes the old one, and what was in that is forgotten.
void Door::write(const std::string& key, Known entry) {
  const size_t bytes = kEach + entry.admission->data.size();
  if (book_bytes_ + bytes > most_) {
    old_book_ = std::exchange(book_, {});
    book_bytes_ = 0;
  }
  book_bytes_ += bytes;
  const auto [place, is_new] = book_.try_emplace(key);
  if (!is_new) book_bytes_ -= kEach + place->second.admission->data.size();
  place->second = std::move(entry);
}

void Door::ask(Access& access, const Claim& claim, std::string_view address, Then then) {
  access.admit(claim, address,
               [this, heard = heard(), then = std::move(then)](Or<Admission> answer) {
                 if (!answer) return then(answer.error());
                 const auto admission = std::make_shared<const Admission>(std::move(*answer));
                 remember(admission, heard);
                 then(admission);
               });
}

void Door::remember(const AdmissionPtr& admission, uint64_t heard) {
  Lock lock(mutex_);
  if (!open_ || heard != heard_) return;
  write(admission->claim.key(), {admission, heard, clock_.steady_ms()});
}

void Door::notice(Desk& desk, Access& access, const std::string& user) {
  {
    Lock lock(mutex_);
    const uint64_t number = ++heard_;
    if (noticed_.size() >= kNoticedMost) {
      noticed_.clear();
      book_.clear();
      book_bytes_ = 0;
      old_book_.clear();
    }
    noticed_[user] = number;
  }
  look_at(desk, access, user);
}

void Door::look_at(Desk& desk, Access& access, const std::string& user) {
  for (const auto& admission : room_.admissions(user)) {
    access.admit(admission->claim, "",
                 [this, &desk, user, key = admission->claim.key()](const Or<Admission>& answer) {
                   // Where Redis is away everybody stays, and is looked at when it is back.
                   if (turned_away(answer)) room_.kick(desk, user, key);
                 });
  }
}

void Door::open(Desk& desk, Access& access) {
  shut();
  {
    Lock lock(mutex_);
    open_ = true;
  }
  look_on(desk, access, room_.users(), ++round_);
}

void Door::look_on(Desk& desk, Access& access, std::vector<std::string> users, uint64_t round) {
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

void Door::shut() {
  Lock lock(mutex_);
  ++heard_;
  open_ = false;
  noticed_.clear();
  book_.clear();
  book_bytes_ = 0;
  old_book_.clear();
}

}  // namespace letterbox
