// SPDX-License-Identifier: MIT
//
// A calendar that writes down what it is asked. The test answers, when it likes and with what it
// likes. For one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mailbox/calendar.h"

namespace letterbox::test {

class FakeCalendar final : public Calendar {
 public:
  struct Addition {
    std::vector<std::string> users;
    std::string element;
    uint64_t at_ms = 0;
    PushOptions options;
    ThenEach then;
  };
  struct View {
    std::string user;
    std::string after;
    size_t limit = 0;
    Then<ScheduledPage> then;
  };
  struct Cancelling {
    std::string id;
    Then<bool> then;
  };
  struct Settling {
    std::vector<std::string> gone;
    std::vector<Postponed> postponed;
    Then<bool> then;
  };

  void add_each(std::span<const std::string_view> users, std::string_view element, uint64_t at_ms,
                const PushOptions& options, ThenEach then) override {
    additions.push_back(
        {{users.begin(), users.end()}, std::string(element), at_ms, options, std::move(then)});
  }
  void view(std::string_view user, std::string_view after, size_t limit,
            Then<ScheduledPage> then) override {
    views.push_back({std::string(user), std::string(after), limit, std::move(then)});
  }
  void cancel(std::string_view id, Then<bool> then) override {
    cancellings.push_back({std::string(id), std::move(then)});
  }
  void look(size_t most, uint64_t ahead_ms, Then<Look> then) override {
    looked_most = most;
    looked_ahead_ms = ahead_ms;
    looks.push_back(std::move(then));
  }
  void settle(std::span<const std::string> gone, std::span<const Postponed> postponed,
              Then<bool> then) override {
    settlings.push_back(
        {{gone.begin(), gone.end()}, {postponed.begin(), postponed.end()}, std::move(then)});
  }

  // What waits for an answer, oldest first.
  std::deque<Addition> additions;
  std::deque<View> views;
  std::deque<Cancelling> cancellings;
  std::deque<Then<Look>> looks;
  std::deque<Settling> settlings;

  size_t looked_most = 0;
  uint64_t looked_ahead_ms = 0;
};

}  // namespace letterbox::test
