// SPDX-License-Identifier: MIT
//
// Remembers admissions, so that most requests need not ask Redis.
//
// An admission is valid as long as this program hears of every change (notices.h): a notice about a
// user makes the cache forget that user's admissions. Invariant: an answer of Redis is remembered
// only if no notice came since Redis was asked. One cache serves all workers of a program. For any
// thread; the Access that is passed in is the calling worker's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/callback.h"
#include "base/clock.h"
#include "base/sync.h"
#include "mailbox/access.h"

namespace letterbox {

using AdmissionPtr = std::shared_ptr<const Admission>;

class AdmissionCache {
 public:
  using Then = Callback<void(Or<AdmissionPtr>)>;

  // Bytes: the cache keeps at least this much of the latest entries, and at most twice as much.
  static constexpr size_t kMost = 67'108'864;
  // Bytes that an entry counts as, plus those of its token's data.
  static constexpr size_t kEach = 512;
  explicit AdmissionCache(const Clock& clock, size_t most = kMost);

  // The number of notices so far. It also grows if some may have been missed.
  uint64_t heard() const { return heard_; }

  // The remembered admission for a claim's key, or null: call ask(). If the admission is a minute
  // old, or a quarter of a sliding token's life if that is less, `stale` is set, for one caller in
  // that time: that caller calls ask() as well, which notes the use of a token.
  AdmissionPtr find(const std::string& key, bool& stale) EXCLUDES(mutex_);
  // Asks Redis, and remembers an admission. `then` is called on the worker's thread.
  void ask(Access& access, const Claim& claim, std::string_view address, Then then)
      EXCLUDES(mutex_);

  // Call this for each notice, with the user it is about.
  void forget(const std::string& user) EXCLUDES(mutex_);
  // Call this when every notice is heard from now on. A new cache is shut.
  void open() EXCLUDES(mutex_);
  // Call this when notices may be missed: until open() nothing is found or remembered.
  void shut() EXCLUDES(mutex_);

 private:
  struct Entry {
    AdmissionPtr admission;
    uint64_t heard = 0;     // the number of notices when Redis was asked
    uint64_t asked_ms = 0;  // steady
  };
  using Entries = std::unordered_map<std::string, Entry>;

  Entry* entry_of(const std::string& key) REQUIRES(mutex_);
  void remember(const AdmissionPtr& admission, uint64_t heard) EXCLUDES(mutex_);
  void put(const std::string& key, Entry entry) REQUIRES(mutex_);
  void forget_everything() REQUIRES(mutex_);

  const Clock& clock_;
  const size_t most_;

  std::atomic<uint64_t> heard_{0};
  mutable Mutex mutex_;
  bool open_ GUARDED_BY(mutex_) = false;
  // Using an entry moves it to `newer_`. When that is full it replaces `older_`.
  Entries newer_ GUARDED_BY(mutex_);
  Entries older_ GUARDED_BY(mutex_);
  size_t newer_bytes_ GUARDED_BY(mutex_) = 0;
  // Per user: the number of the last notice about it.
  std::unordered_map<std::string, uint64_t> noticed_ GUARDED_BY(mutex_);
};

}  // namespace letterbox
