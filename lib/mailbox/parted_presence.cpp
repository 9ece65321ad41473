// SPDX-License-Identifier: MIT
#include "mailbox/parted_presence.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/rare.h"
#include "mailbox/merge_pages.h"

namespace letterbox {

void PartedPresence::note(std::span<const Note> notes, Then<bool> then) {
  const auto its_user = [](const Note& note) { return std::string_view(note.user); };
  const auto shares = divide(notes, parts_.size(), its_user);
  gather<Or<bool>>(
      shares.size(),
      [&](size_t i, Then<bool> told) {
        parts_[shares[i].part].note(pick<Note>(notes, shares[i]), std::move(told));
      },
      [then = std::move(then)](const std::vector<Or<bool>>& answers) { then(all_done(answers)); });
}

uint64_t PartedPresence::absences() const {
  uint64_t sum = 0;
  for (size_t part = 0; part < parts_.size(); ++part) sum += parts_[part].absences();
  return sum;
}

// A page, and how many users each part is asked for.
struct PartedPresence::Paging {
  PresenceQuestion question;  // its `after` moves on
  size_t share;
  Then<PresencePage> then;
  PresencePage page = {};
};

void PartedPresence::page(const PresenceQuestion& question, Then<PresencePage> then) {
  page_on(std::make_shared<Paging>(Paging{.question = question,
                                          .share = share_of_page(question.limit, parts_.size()),
                                          .then = std::move(then)}));
}

// If the parts were asked for too few users, twice as many are asked for the rest.
void PartedPresence::page_on(const std::shared_ptr<Paging>& paging) {
  const size_t wanted = paging->question.limit - paging->page.users.size();
  PresenceQuestion asked = paging->question;
  asked.limit = std::min(paging->share, wanted);
  const bool last = asked.limit == wanted;
  gather<Or<PresencePage>>(
      parts_.size(),
      [&](size_t part, Then<PresencePage> told) { parts_[part].page(asked, std::move(told)); },
      [this, paging, wanted, last](std::vector<Or<PresencePage>> answers) {
        if (const Error* error = first_error(answers)) return paging->then(*error);
        PresencePage& page = paging->page;
        page.online = 0;
        std::vector<PartPage<PresentUser>> pages;
        for (auto& answer : answers) {
          page.online += answer->online;
          pages.push_back({std::move(answer->users), std::move(answer->next)});
        }
        // (No user is in two parts.)
        auto merged = merge_pages(
            std::move(pages), wanted,
            [](const PresentUser& user) -> const std::string& { return user.name; },
            [](PresentUser&, const PresentUser&) {});
        for (auto& user : merged.items) page.users.push_back(std::move(user));
        page.next = std::move(merged.next);
        if (last || page.next.empty() || page.users.size() == paging->question.limit) {
          return paging->then(std::move(page));
        }
        rare<"a page of users needs more of a part than was asked for">();
        paging->question.after = page.next;
        paging->share *= 2;
        page_on(paging);
      });
}

void PartedPresence::sweep(Then<Swept> then) {
  gather<Or<Swept>>(
      parts_.size(), [&](size_t part, Then<Swept> told) { parts_[part].sweep(std::move(told)); },
      [this, then = std::move(then)](const std::vector<Or<Swept>>& answers) {
        swept(answers, then);
      });
}

// What is not handed out stays in its part, and is handed out by a later sweep.
void PartedPresence::swept(const std::vector<Or<Swept>>& answers, const Then<Swept>& then) {
  if (all_failed(answers)) return then(*first_error(answers));
  handed_.clear();
  Swept whole;
  for (size_t i = 0; i < answers.size(); ++i) {
    const size_t part = (first_ + i) % answers.size();
    if (!answers[part]) continue;
    const Swept& its = *answers[part];
    whole.gone += its.gone;
    whole.waiting += its.waiting;
    const size_t events = std::min(its.events.size(), kEventsAtOnce - whole.events.size());
    if (events == 0) continue;
    handed_.push_back({.part = part, .events = events});
    whole.events.insert(whole.events.end(), its.events.begin(),
                        its.events.begin() + static_cast<ptrdiff_t>(events));
  }
  first_ = (first_ + 1) % answers.size();
  then(std::move(whole));
}

void PartedPresence::settle(std::span<const std::string> events, Then<bool> then) {
  assert(!events.empty());
  struct Settled {
    size_t part;
    std::span<const std::string> events;
  };
  std::vector<Settled> shares;
  size_t at = 0;
  for (const auto& [part, count] : std::exchange(handed_, {})) {
    const size_t taken = std::min(count, events.size() - at);
    if (taken == 0) break;
    shares.push_back({.part = part, .events = events.subspan(at, taken)});
    at += taken;
  }
  assert(at == events.size());
  gather<Or<bool>>(
      shares.size(),
      [&](size_t i, Then<bool> told) {
        parts_[shares[i].part].settle(shares[i].events, std::move(told));
      },
      [then = std::move(then)](const std::vector<Or<bool>>& answers) { then(all_done(answers)); });
}

}  // namespace letterbox
