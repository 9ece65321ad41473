// SPDX-License-Identifier: MIT
#include "mailbox/parted_calendar.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "model/scheduled_id.h"

namespace letterbox {

namespace {

// Each part is asked by at least one look of three.
constexpr size_t kTurns = 3;

std::string user_of(std::string_view id) {
  auto parsed = ScheduledId::parse(id);
  assert(parsed);
  return std::move(parsed->user);
}

// What one part is asked to settle.
struct Settling {
  std::vector<std::string> gone;
  std::vector<Calendar::Postponed> postponed;
};

}  // namespace

void PartedCalendar::add_each(std::span<const std::string_view> users, std::string_view element,
                              uint64_t at_ms, const PushOptions& options, ThenEach then) {
  call_each<Or<Scheduled>>(
      users, parts_.size(),
      [&](size_t part, std::span<const std::string_view> its, ThenEach told) {
        parts_[part].add_each(its, element, at_ms, options, std::move(told));
      },
      std::move(then));
}

void PartedCalendar::cancel(std::string_view id, Then<bool> then) {
  parts_.of(user_of(id)).cancel(id, std::move(then));
}

std::vector<size_t> PartedCalendar::to_ask() {
  turn_ = (turn_ + 1) % kTurns;
  std::vector<size_t> parts;
  for (size_t part = 0; part < parts_.size(); ++part) {
    if (!seen_[part].empty || part % kTurns == turn_) parts.push_back(part);
  }
  return parts;
}

void PartedCalendar::look(size_t most, uint64_t ahead_ms, Then<Look> then) {
  const auto with_more = static_cast<size_t>(
      std::count_if(seen_.begin(), seen_.end(), [](const Seen& seen) { return seen.more; }));
  const size_t share = std::max<size_t>(1, most / std::max<size_t>(1, with_more));
  const auto asked = to_ask();
  gather<Or<Look>>(
      asked.size(),
      [&](size_t i, Then<Look> told) {
        parts_[asked[i]].look(seen_[asked[i]].more ? share : 1, ahead_ms, std::move(told));
      },
      [this, most, asked, then = std::move(then)](std::vector<Or<Look>> answers) {
        looked(most, asked, std::move(answers), then);
      });
}

void PartedCalendar::looked(size_t most, const std::vector<size_t>& asked,
                            std::vector<Or<Look>> answers, const Then<Look>& then) {
  assert(answers.size() == asked.size());
  if (all_failed(answers)) return then(*first_error(answers));
  Look whole;
  for (size_t i = 0; i < asked.size(); ++i) {
    if (!answers[i]) continue;
    Look& its = *answers[i];
    seen_[asked[i]] = {.empty = its.waiting == 0 && its.due.empty(), .more = its.more};
    whole.more = whole.more || its.more;
    whole.waiting += its.waiting;
    if (its.next_ms) whole.next_ms = std::min(*its.next_ms, whole.next_ms.value_or(*its.next_ms));
    whole.due.insert(whole.due.end(), std::move_iterator(its.due.begin()),
                     std::move_iterator(its.due.end()));
  }
  std::stable_sort(whole.due.begin(), whole.due.end(),
                   [](const Due& a, const Due& b) { return a.at_ms < b.at_ms; });
  if (whole.due.size() > most) {
    // (Nothing was changed, so the next look finds the rest.)
    whole.due.resize(most);
    whole.more = true;
  }
  then(std::move(whole));
}

void PartedCalendar::settle(std::span<const std::string> gone, std::span<const Postponed> postponed,
                            Then<bool> then) {
  assert(!gone.empty() || !postponed.empty());
  std::vector<Settling> by_part(parts_.size());
  for (const auto& id : gone) by_part[part_of(user_of(id), parts_.size())].gone.push_back(id);
  for (const auto& each : postponed) {
    by_part[part_of(user_of(each.id), parts_.size())].postponed.push_back(each);
  }
  std::vector<size_t> asked;
  for (size_t part = 0; part < by_part.size(); ++part) {
    if (!by_part[part].gone.empty() || !by_part[part].postponed.empty()) asked.push_back(part);
  }
  gather<Or<bool>>(
      asked.size(),
      [&](size_t i, Then<bool> told) {
        const Settling& its = by_part[asked[i]];
        parts_[asked[i]].settle(its.gone, its.postponed, std::move(told));
      },
      [then = std::move(then)](const std::vector<Or<bool>>& answers) { then(all_done(answers)); });
}

}  // namespace letterbox
