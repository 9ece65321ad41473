// SPDX-License-Identifier: MIT
#include "mailbox/admission_cache.h"

#include <utility>

namespace letterbox {

namespace {

// An admission is used for so long before Redis is asked anew.
constexpr uint64_t kStaleMs = 60'000;
// At this many users with a notice everything is forgotten: so that nothing grows.
constexpr size_t kNoticedMost = 10'000;

}  // namespace

AdmissionCache::AdmissionCache(const Clock& clock, size_t most) : clock_(clock), most_(most) {}

AdmissionPtr AdmissionCache::find(const std::string& key, bool& stale) {
  Lock lock(mutex_);
  Entry* entry = open_ ? entry_of(key) : nullptr;
  if (entry == nullptr) return nullptr;
  const auto& admission = entry->admission;
  if (admission->expires_ms != 0 && admission->expires_ms <= clock_.wall_ms()) return nullptr;
  const auto noticed = noticed_.find(admission->claim.user);
  if (noticed != noticed_.end() && noticed->second > entry->heard) return nullptr;
  const uint64_t now = clock_.steady_ms();
  stale = now >= entry->asked_ms + kStaleMs;
  if (stale) entry->asked_ms = now;  // one caller asks, not all that come meanwhile
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

// Among the newer ones. When these are full, they become the older ones, which are dropped.
void AdmissionCache::put(const std::string& key, Entry entry) {
  const size_t bytes = kEach + entry.admission->data.size();
  if (newer_bytes_ + bytes > most_) {
    older_ = std::exchange(newer_, {});
    newer_bytes_ = 0;
  }
  newer_bytes_ += bytes;
  const auto [place, is_new] = newer_.try_emplace(key);
  if (!is_new) newer_bytes_ -= kEach + place->second.admission->data.size();
  place->second = std::move(entry);
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
  if (noticed_.size() >= kNoticedMost) forget_everything();
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
