// SPDX-License-Identifier: MIT
//
// A presence store that writes down each call. The test answers, when it likes and with what it
// likes. For one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mailbox/presence.h"

namespace letterbox::test {

class FakePresence final : public PresenceStore {
 public:
  struct Batch {
    std::vector<Note> notes;
    Then<bool> then;
  };
  struct Page {
    PresenceQuestion question;
    Then<PresencePage> then;
  };
  struct Settling {
    std::vector<std::string> events;
    Then<bool> then;
  };

  void note(std::span<const Note> notes, Then<bool> then) override {
    batches.push_back({{notes.begin(), notes.end()}, std::move(then)});
  }
  uint64_t absences() const override { return was_away; }
  void page(const PresenceQuestion& question, Then<PresencePage> then) override {
    pages.push_back({question, std::move(then)});
  }
  void user(std::string_view name, Then<PresentUser> then) override {
    users.emplace_back(name, std::move(then));
  }
  void sweep(Then<Swept> then) override { sweeps.push_back(std::move(then)); }
  void settle(std::span<const std::string> events, Then<bool> then) override {
    settlings.push_back({{events.begin(), events.end()}, std::move(then)});
  }

  // The calls that wait for an answer, oldest first.
  std::deque<Batch> batches;
  std::deque<Page> pages;
  std::deque<std::pair<std::string, Then<PresentUser>>> users;
  std::deque<Then<Swept>> sweeps;
  std::deque<Settling> settlings;

  uint64_t was_away = 0;
};

// Takes the oldest out before it answers it, so that the callback may ask again.
template <class Asked, class Outcome>
void answer_oldest(std::deque<Asked>& asked, Outcome with) {
  const Asked oldest = std::move(asked.front());
  asked.pop_front();
  if constexpr (requires { oldest.then; }) {
    oldest.then(std::move(with));
  } else {
    oldest(std::move(with));
  }
}

}  // namespace letterbox::test
