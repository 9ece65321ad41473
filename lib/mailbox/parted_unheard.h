// SPDX-License-Identifier: MIT
//
// What a cluster holds for the webhook: an entry is in its user's part. For one thread.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "mailbox/parted.h"
#include "mailbox/unheard.h"

namespace letterbox {

class PartedUnheard final : public Unheard {
 public:
  explicit PartedUnheard(std::vector<Unheard*> parts)
      : parts_(std::move(parts)), waiting_(parts_.size(), 0) {}

  // Asks some parts after the others, each for no more than is still wanted, beginning with the
  // part behind the last one that was asked before. Has what the parts have that are not away; an
  // error if all that were asked are.
  void lease(size_t most, Then<Leased> then) override;
  void look(const UnheardEntry& entry, Then<std::optional<std::string>> then) override {
    parts_.of(entry.user).look(entry, std::move(then));
  }
  void remove(const UnheardEntry& entry) override { parts_.of(entry.user).remove(entry); }
  void put_off(const UnheardEntry& entry, uint64_t ms) override {
    parts_.of(entry.user).put_off(entry, ms);
  }

 private:
  struct Leasing;

  void lease_on(const std::shared_ptr<Leasing>& leasing);
  void leased(Leasing& leasing, size_t part, size_t asked, Or<Leased> answer);
  void finish(const Leasing& leasing);

  const Parts<Unheard> parts_;
  size_t first_ = 0;             // the part that is asked next
  std::vector<size_t> waiting_;  // by part, as it has said last
};

}  // namespace letterbox
