// SPDX-License-Identifier: MIT
//
// Presence in a cluster: each part knows which of its users are online, and has events of its own.
// The events of one user are in order, those of several parts come as the parts are asked. For one
// worker's thread.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "mailbox/parted.h"
#include "mailbox/presence.h"

namespace letterbox {

class PartedPresence final : public PresenceStore {
 public:
  explicit PartedPresence(std::vector<PresenceStore*> parts) : parts_(std::move(parts)) {}

  void note(std::span<const Note> notes, Then<bool> then) override;
  // The sum of the parts' absences.
  uint64_t absences() const override;
  void page(const PresenceQuestion& question, Then<PresencePage> then) override;
  void user(std::string_view name, Then<PresentUser> then) override {
    parts_.of(name).user(name, std::move(then));
  }
  // Has what the parts have that are not away; an error if all are. At most kEventsAtOnce events
  // are handed out.
  void sweep(Then<Swept> then) override;
  // REQUIRES: the events are the first of those that the last sweep has handed out.
  void settle(std::span<const std::string> events, Then<bool> then) override;

  static constexpr size_t kEventsAtOnce = 1000;

 private:
  // Events that the last sweep has handed out, in this order.
  struct Handed {
    size_t part;
    size_t events;
  };

  struct Paging;

  void page_on(const std::shared_ptr<Paging>& paging);
  void swept(const std::vector<Or<Swept>>& answers, const Then<Swept>& then);

  const Parts<PresenceStore> parts_;
  std::vector<Handed> handed_;
  size_t first_ = 0;  // the part whose events come first, a different one for each sweep
};

}  // namespace letterbox
