// SPDX-License-Identifier: MIT
//
// The calendar: messages that are to be pushed later. Handlers write and show it; the Scheduler
// pushes what is due. An interface, so that tests have one of their own; RedisCalendar is the real
// one.
//
// A calendar belongs to one worker. Callbacks come on that worker's thread, once each, possibly
// before the call returns. Errors are those of the Store (store.h). Times are wall clock, ms since
// 1970.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "mailbox/store.h"
#include "model/error.h"

namespace letterbox {

// What became of a message that was to be pushed later.
struct Scheduled {
  std::string id;  // model/scheduled_id.h
  uint64_t at_ms = 0;
  bool replayed = false;  // this is the outcome of an earlier call with the same record
};

// A message that waits for its time.
struct ScheduledMessage {
  std::string element;   // model/message.h; its time is the one at which it is due
  std::string collapse;  // as in PushOptions
};

struct ScheduledPage {
  struct Entry {
    std::string id;
    uint64_t at_ms = 0;
    ScheduledMessage message;
  };
  std::vector<Entry> entries;
  std::string next;  // the id after which further entries follow; empty: there are none
};

class Calendar {
 public:
  template <class T>
  using Then = Callback<void(Or<T>)>;
  // What became of each, in the order in which they were given.
  using ThenEach = Callback<void(const std::vector<Or<Scheduled>>&)>;

  virtual ~Calendar() = default;

  // Has one message pushed to each of these users at `at_ms`. There may be no more users than a
  // step allows. `options.scheduled` is empty. Another error is Code::schedule_full.
  virtual void add_each(std::span<const std::string_view> users, std::string_view element,
                        uint64_t at_ms, const PushOptions& options, ThenEach then) = 0;
  // At most `limit` messages of a user, and about a mebibyte, in the order of their times. They
  // begin after the id `after`, even if it is gone; empty: at the first.
  virtual void view(std::string_view user, std::string_view after, size_t limit,
                    Then<ScheduledPage> then) = 0;
  // False: the message was pushed already, or cancelled. REQUIRES: `id` is an id.
  virtual void cancel(std::string_view id, Then<bool> then) = 0;

  // The rest is for the Scheduler.

  // A message whose time has come.
  struct Due {
    std::string id;
    uint64_t at_ms = 0;
    std::optional<ScheduledMessage> message;  // none: it is not there, or can't be read
  };
  struct Look {
    std::vector<Due> due = {};
    bool more = false;                     // others are due as well
    std::optional<uint64_t> next_ms = {};  // when the next one is due, if it is soon
    uint64_t waiting = 0;                  // the messages of all users
  };
  // At most `most` messages that are due, the earliest first. Looks `ahead_ms` ahead for the next.
  virtual void look(size_t most, uint64_t ahead_ms, Then<Look> then) = 0;

  struct Postponed {
    std::string id;
    uint64_t until_ms = 0;
  };
  // look() finds the ids in `gone` no more, and those that are postponed only later.
  virtual void settle(std::span<const std::string> gone, std::span<const Postponed> postponed,
                      Then<bool> then) = 0;
};

}  // namespace letterbox
