// SPDX-License-Identifier: MIT
#include "mailbox/admission_cache.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/rare.h"

namespace letterbox {

namespace {

// How long an admission is used before Redis is asked again. A sliding token must be prolonged long
// before it ends.
uint64_t stale_after_ms(const Admission& admission) {
  constexpr uint64_t kStaleMs = 60'000;
  return admission.slide_ms == 0 ? kStaleMs : std::min(kStaleMs, admission.slide_ms / 4);
}
// Users with a notice: at this number the cache forgets everything, so that `noticed_` is bounded.
constexpr size_t kNoticedMost = 10'000;

}  // namespace

AdmissionCache::AdmissionCache(const Clock& clock, size_t most) : clock_(clock), most_(most) {}

AdmissionPtr AdmissionCache::find(const std::string& key, bool& stale) {
  Lock lock(mutex_);
  Entry* entry = open_ ? entry_of(key) : nullptr;
  if (entry == nullptr) return nullptr;
  const auto& admission = entry->admission;
  assert(admission && entry->heard <= heard_);
  if (admission->expires_ms != 0 && admission->expires_ms <= clock_.wall_ms()) return nullptr;
  const auto noticed = noticed_.find(admission->claim.user);
  if (noticed != noticed_.end() && noticed->second > entry->heard) return nullptr;
  const uint64_t now = clock_.steady_ms();
  stale = now >= entry->asked_ms + stale_after_ms(*admission);
  if (stale) entry->asked_ms = now;  // so that only this caller asks
  return admission;
}

AdmissionCache::Entry* AdmissionCache::entry_of(const std::string& key) {
  const auto newer = newer_.find(key);
  if (newer != newer_.end()) return &newer->second;
  const auto older = older_.find(key);
  if (older == older_.end()) return nullptr;
  put(key, Entry(older->second));
  return &newer_.at(key);
}

// Puts an entry into `newer_`. If that is full, it first replaces `older_`.
void AdmissionCache::put(const std::string& key, Entry entry) {
  assert(entry.admission);
  const size_t bytes = kEach + entry.admission->data.size();
  if (newer_bytes_ + bytes > most_) {
    older_ = std::exchange(newer_, {});
    newer_bytes_ = 0;
  }
  newer_bytes_ += bytes;
  const auto [place, is_new] = newer_.try_emplace(key);
  if (!is_new) newer_bytes_ -= kEach + place->second.admission->data.size();
  place->second = std::move(entry);
  assert(newer_bytes_ >= kEach * newer_.size());
}

void AdmissionCache::ask(Access& access, const Claim& claim, std::string_view address, Then then) {
  access.admit(claim, address,
               [this, heard = heard(), then = std::move(then)](Or<Admission> answer) {
                 if (!answer) return then(answer.error());
                 const auto admission = std::make_shared<const Admission>(std::move(*answer));
                 remember(admission, heard);
                 then(admission);
               });
}

void AdmissionCache::remember(const AdmissionPtr& admission, uint64_t heard) {
  Lock lock(mutex_);
  if (!open_ || heard != heard_) return;
  put(admission->claim.key(), {admission, heard, clock_.steady_ms()});
}

void AdmissionCache::forget(const std::string& user) {
  Lock lock(mutex_);
  const uint64_t number = ++heard_;
  if (noticed_.size() >= kNoticedMost) {
    rare<"notices are about too many users to be remembered">();
    forget_everything();
  }
  noticed_[user] = number;
}

void AdmissionCache::forget_everything() {
  noticed_.clear();
  newer_.clear();
  newer_bytes_ = 0;
  older_.clear();
}

void AdmissionCache::open() {
  shut();
  Lock lock(mutex_);
  open_ = true;
}

void AdmissionCache::shut() {
  Lock lock(mutex_);
  ++heard_;
  open_ = false;
  forget_everything();
}

}  // namespace letterbox
