// SPDX-License-Identifier: MIT
//
// Remembers admissions, so that in the ordinary case a request asks nothing of Redis.
//
// An admission counts as long as this program hears of every change (notices.h): a notice about a
// user has that user's admissions forgotten. Invariant: an answer of Redis is remembered only if no
// notice came since Redis was asked. One cache serves all workers of a program. For any thread;
// an Access is the calling worker's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/sync.h"
#include "mailbox/access.h"

namespace letterbox {

using AdmissionPtr = std::shared_ptr<const Admission>;

class AdmissionCache {
 public:
  using Then = std::function<void(Or<AdmissionPtr>)>;

  // The cache keeps the latest entries of at least this many bytes, and of at most twice as many.
  static constexpr size_t kMost = 67'108'864;
  // An entry counts as this many bytes, besides the data of its token.
  static constexpr size_t kEach = 512;
  explicit AdmissionCache(const Clock& clock, size_t most = kMost);

  // The number of notices. It also grows if some may have been missed.
  uint64_t heard() const { return heard_; }

  // The remembered admission for a claim's key, or null: ask(). If it is a minute old, `stale` is
  // set, for one caller a minute: the caller uses it, and asks anew meanwhile, which notes the use
  // of a token.
  AdmissionPtr find(const std::string& key, bool& stale) EXCLUDES(mutex_);
  // Asks Redis, and remembers an admission. `then` is called on the worker's thread.
  void ask(Access& access, const Claim& claim, std::string_view address, Then then)
      EXCLUDES(mutex_);

  // A notice about this user came.
  void forget(const std::string& user) EXCLUDES(mutex_);
  // From now on every notice is heard. A new cache is shut.
  void open() EXCLUDES(mutex_);
  // Notices may be missed: until open() nothing is found, and nothing remembered.
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
  // An entry that is used moves to the newer ones; when these are full, the older ones are dropped.
  Entries newer_ GUARDED_BY(mutex_);
  Entries older_ GUARDED_BY(mutex_);
  size_t newer_bytes_ GUARDED_BY(mutex_) = 0;
  // Per user: the number of the last notice about it.
  std::unordered_map<std::string, uint64_t> noticed_ GUARDED_BY(mutex_);
};

}  // namespace letterbox
