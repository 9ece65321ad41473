// SPDX-License-Identifier: MIT
//
// Replaces groups and `*` by the names of users, page by page, each name once a letter. If there
// are more recipients than allowed, it ends at once, and no message is delivered. For one worker's
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>

#include "base/callback.h"
#include "base/limits.h"
#include "mailbox/groups.h"
#include "requests/mail.h"

namespace letterbox {

struct BroadcastLimits {
  // The most recipients of one call that names a group or `*`. A name that occurs twice counts
  // twice.
  size_t recipients = kBroadcastRecipients;
  uint64_t bytes = kBroadcastBytes;  // the most that such a call may store
  size_t in_hand = kInHandBytes;     // bytes: the most that a worker holds in memory
};

class Resolving : public std::enable_shared_from_this<Resolving> {
 public:
  using Then = Callback<void(Or<Mail>, Held)>;

  // `groups` outlives the Resolving.
  Resolving(Groups& groups, const BroadcastLimits& limits, Mail mail, Held held, Then then);

  // Resolving then goes on by itself. It may reach its end before go_on() returns.
  void go_on();

 private:
  void ask();
  void take(const Or<Names>& page);
  bool add(Recipient recipient);
  void finish(Or<Mail> outcome);

  Groups& groups_;
  const BroadcastLimits limits_;
  Mail asked_;
  Mail found_;
  Held held_;
  Then then_;

  size_t letter_ = 0;                     // index of the letter that is being resolved
  size_t recipient_ = 0;                  // index of the recipient in that letter
  std::string from_;                      // where a group's next page begins
  std::unordered_set<std::string> seen_;  // the names in this letter
  size_t count_ = 0;                      // names in all letters, doubles too
};

}  // namespace letterbox
