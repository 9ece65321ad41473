// SPDX-License-Identifier: MIT
//
// Puts names into the place of groups and of `*`, page by page, each name once a letter. It ends as
// soon as there are more than there may be, with nothing delivered. For one worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>

#include "base/callback.h"
#include "handlers/mail.h"
#include "mailbox/groups.h"

namespace letterbox {

struct BroadcastLimits {
  size_t recipients = 100'000;   // of one call that names a group or everybody, doubles counted
  uint64_t bytes = 268'435'456;  // that such a call may store
  size_t in_hand = 67'108'864;   // that a worker holds in memory
};

class Resolving : public std::enable_shared_from_this<Resolving> {
 public:
  using Then = Callback<void(Or<Mail>, Held)>;

  // `groups` outlives it.
  Resolving(Groups& groups, const BroadcastLimits& limits, Mail mail, Held held, Then then);

  // Goes on by itself, possibly to its end before this returns.
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

  size_t letter_ = 0;                     // that is being looked at,
  size_t recipient_ = 0;                  // and who of those it is for,
  std::string from_;                      // and the page, where that is a group
  std::unordered_set<std::string> seen_;  // in this letter
  size_t count_ = 0;                      // in all letters, doubles among them
};

}  // namespace letterbox
