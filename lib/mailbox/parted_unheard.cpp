// SPDX-License-Identifier: MIT
#include "mailbox/parted_unheard.h"

#include <algorithm>
#include <cassert>
#include <deque>
#include <numeric>
#include <optional>

namespace letterbox {

struct PartedUnheard::Leasing {
  size_t wanted;  // entries
  Then<Leased> then;
  std::deque<size_t> to_ask = {};  // parts that may have entries that are due
  Leased whole = {};
  bool any = false;  // a part has answered
  std::optional<Error> error = {};
};

void PartedUnheard::lease(size_t most, Then<Leased> then) {
  const auto leasing = std::make_shared<Leasing>(Leasing{.wanted = most, .then = std::move(then)});
  for (size_t i = 0; i < parts_.size(); ++i) {
    leasing->to_ask.push_back((first_ + i) % parts_.size());
  }
  lease_on(leasing);
}

// The next parts side by side. What they are asked for is together no more than is wanted. A part
// that had all that it was asked for may have more, and is asked again when all were asked.
void PartedUnheard::lease_on(const std::shared_ptr<Leasing>& leasing) {
  const size_t count = std::min(leasing->wanted, leasing->to_ask.size());
  if (count == 0) return finish(*leasing);
  const size_t share = leasing->wanted / count;
  const auto end = leasing->to_ask.begin() + static_cast<ptrdiff_t>(count);
  const std::vector<size_t> asked(leasing->to_ask.begin(), end);
  leasing->to_ask.erase(leasing->to_ask.begin(), end);
  first_ = (asked.back() + 1) % parts_.size();
  gather<Or<Leased>>(
      count, [&](size_t i, Then<Leased> told) { parts_[asked[i]].lease(share, std::move(told)); },
      [this, leasing, asked, share](std::vector<Or<Leased>> answers) {
        for (size_t i = 0; i < answers.size(); ++i) {
          leased(*leasing, asked[i], share, std::move(answers[i]));
        }
        lease_on(leasing);
      });
}

void PartedUnheard::leased(Leasing& leasing, size_t part, size_t asked, Or<Leased> answer) {
  if (!answer) {
    if (!leasing.error) leasing.error = answer.error();
    return;
  }
  leasing.any = true;
  waiting_[part] = answer->waiting;
  leasing.whole.dropped += answer->dropped;
  const size_t count = answer->entries.size();
  assert(count <= asked && count <= leasing.wanted);
  leasing.wanted -= count;
  if (count == asked) leasing.to_ask.push_back(part);
  for (auto& entry : answer->entries) leasing.whole.entries.push_back(std::move(entry));
}

void PartedUnheard::finish(const Leasing& leasing) {
  if (!leasing.any && leasing.error) return leasing.then(*leasing.error);
  Leased whole = leasing.whole;
  whole.waiting = std::accumulate(waiting_.begin(), waiting_.end(), size_t{0});
  leasing.then(std::move(whole));
}

}  // namespace letterbox
