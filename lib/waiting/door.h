// SPDX-License-Identifier: MIT
//
// Who may come in, known without asking Redis each time.
//
// Whoever was found good is remembered, as long as this program hears of every change (notices.h).
// A notice about a user has all of that forgotten, and everybody who waits in the room for that
// user looked at again: who is no longer good is answered with Reason::kicked. Invariants:
//   1. What was found out is remembered only if no notice came while it was being found out.
//   2. Whoever enters the room looks whether a notice came since it was let in, and if so asks for
//      another look: either the notice saw it in the room, or it saw the notice.
// For any thread; Access and Desk are the calling worker's.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/sync.h"
#include "mailbox/access.h"
#include "waiting/poll.h"
#include "waiting/room.h"

namespace letterbox {

class Door {
 public:
  using AdmissionPtr = std::shared_ptr<const Admission>;
  using Then = std::function<void(Or<AdmissionPtr>)>;

  // So many bytes are remembered at least, and twice as many at most.
  static constexpr size_t kMost = 67'108'864;
  // What somebody takes, besides the data of a token.
  static constexpr size_t kEach = 512;
  Door(const Clock& clock, Room& room, size_t most = kMost);

  // Changes with every notice, also with those that were missed.
  uint64_t heard() const { return heard_; }

  // Who is known by that key to be good; null: ask. Now and then, a minute apart, it is to be asked
  // for anew meanwhile: that notes the use of a token. `stale` is then set.
  AdmissionPtr known(const std::string& key, bool& stale) EXCLUDES(mutex_);
  // Asks Redis. `then` is called on the worker's thread.
  void ask(Access& access, const Claim& claim, std::string_view address, Then then)
      EXCLUDES(mutex_);

  // There was a notice about a user. REQUIRES (here and below): `access` is of the same worker as
  // `desk`.
  void notice(Desk& desk, Access& access, const std::string& user) EXCLUDES(mutex_);
  // Looks at everybody who waits in the room for that user.
  void look_at(Desk& desk, Access& access, const std::string& user);
  // From now on notices are heard. Everybody is looked at, by and by.
  void open(Desk& desk, Access& access) EXCLUDES(mutex_);
  // Notices are not heard: nobody is known.
  void shut() EXCLUDES(mutex_);

 private:
  struct Known {
    AdmissionPtr admission;
    uint64_t heard = 0;     // so many notices had come by then
    uint64_t asked_ms = 0;  // steady
  };
  using Book = std::unordered_map<std::string, Known>;

  Known* find(const std::string& key) REQUIRES(mutex_);
  void remember(const AdmissionPtr& admission, uint64_t heard) EXCLUDES(mutex_);
  void write(const std::string& key, Known entry) REQUIRES(mutex_);
  void look_on(Desk& desk, Access& access, std::vector<std::string> users, uint64_t round);

  const Clock& clock_;
  Room& room_;
  const size_t most_;

  std::atomic<uint64_t> heard_{0};
  std::atomic<uint64_t> round_{0};  // of looks at everybody
  mutable Mutex mutex_;
  bool open_ GUARDED_BY(mutex_) = false;
  // Whoever was here lately is in the new book; when that is full, the old one goes.
  Book book_ GUARDED_BY(mutex_);
  Book old_book_ GUARDED_BY(mutex_);
  size_t book_bytes_ GUARDED_BY(mutex_) = 0;  // of the new one
  // Of whom there was a notice: the last one's number.
  std::unordered_map<std::string, uint64_t> noticed_ GUARDED_BY(mutex_);
};

}  // namespace letterbox
