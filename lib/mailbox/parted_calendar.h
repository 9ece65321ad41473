// SPDX-License-Identifier: MIT
//
// The calendar in a cluster: each part has the messages that are to be pushed later to its users.
// For one worker's thread.
#pragma once

#include <utility>
#include <vector>

#include "mailbox/calendar.h"
#include "mailbox/parted.h"

namespace letterbox {

class PartedCalendar final : public Calendar {
 public:
  explicit PartedCalendar(std::vector<Calendar*> parts)
      : parts_(std::move(parts)), seen_(parts_.size()) {}

  void add_each(std::span<const std::string_view> users, std::string_view element, uint64_t at_ms,
                const PushOptions& options, ThenEach then) override;
  void view(std::string_view user, std::string_view after, size_t limit,
            Then<ScheduledPage> then) override {
    parts_.of(user).view(user, after, limit, std::move(then));
  }
  void cancel(std::string_view id, Then<bool> then) override;
  // Has what the parts have that are not away; an error if all are. A part that was empty is asked
  // by every third look only: a cluster at rest has many of them, and a message that comes to one
  // is found soon enough.
  void look(size_t most, uint64_t ahead_ms, Then<Look> then) override;
  void settle(std::span<const std::string> gone, std::span<const Postponed> postponed,
              Then<bool> then) override;

 private:
  // What the last look that asked a part has found there.
  struct Seen {
    bool empty = false;
    // It has not had all that is due. The next look asks such parts for more, and the others for
    // one message only, since what is over `most` would be fetched in vain.
    bool more = false;
  };

  std::vector<size_t> to_ask();
  void looked(size_t most, const std::vector<size_t>& asked, std::vector<Or<Look>> answers,
              const Then<Look>& then);

  const Parts<Calendar> parts_;
  std::vector<Seen> seen_;  // by part
  size_t turn_ = 0;         // of the looks
};

}  // namespace letterbox
