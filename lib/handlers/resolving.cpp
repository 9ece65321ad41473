// SPDX-License-Identifier: MIT
#include "handlers/resolving.h"

#include <utility>

#include "model/names.h"

namespace letterbox {

namespace {

// What a name takes up in memory, about: among the recipients, and among those that were seen.
size_t weight_of(const std::string& name) { return 2 * name.size() + 120; }

}  // namespace

Resolving::Resolving(Groups& groups, const BroadcastLimits& limits, Mail mail, Held held, Then then)
    : groups_(groups),
      limits_(limits),
      asked_(std::move(mail)),
      held_(std::move(held)),
      then_(std::move(then)) {
  found_.many = asked_.many;
  found_.broadcast = asked_.broadcast;
  found_.letters.reserve(asked_.letters.size());
}

void Resolving::go_on() {
  while (letter_ < asked_.letters.size()) {
    Letter& letter = asked_.letters[letter_];
    if (recipient_ == letter.to.size()) {
      ++letter_;
      recipient_ = 0;
      continue;
    }
    if (recipient_ == 0) {
      seen_.clear();
      found_.letters.push_back({std::move(letter.element), {}});
    }
    // What was wrong with a letter is told of it as it was written.
    const bool good = static_cast<bool>(found_.letters.back().element);
    if (good && letter.to[recipient_].stands_for_many()) return ask();
    if (!add(letter.to[recipient_++])) return;
  }
  if (found_.stored_bytes() > limits_.bytes) {
    return finish(Error{Code::too_large, "this message to " + std::to_string(found_.recipients()) +
                                             " recipients is more than the " +
                                             std::to_string(limits_.bytes) +
                                             " bytes that one call may store"});
  }
  finish(std::move(found_));
}

void Resolving::ask() {
  const Recipient& recipient = asked_.letters[letter_].to[recipient_];
  const auto then = [self = shared_from_this()](const Or<Names>& page) { self->take(page); };
  if (recipient.kind == Recipient::Kind::group) {
    groups_.members(recipient.group(), from_, then);
  } else {
    groups_.online(from_, then);
  }
}

void Resolving::take(const Or<Names>& page) {
  if (!page) return finish(page.error());
  for (const auto& name : page->names) {
    // (Somebody may have put anything there by hand. Whatever it is, it stands for nobody else.)
    if (!add({name, valid_user(name) ? Recipient::Kind::user : Recipient::Kind::bad_user})) return;
  }
  from_ = page->next;
  if (!from_.empty()) return ask();
  ++recipient_;
  go_on();
}

// False where that was one too many: then it is finished.
bool Resolving::add(Recipient recipient) {
  if (++count_ > limits_.recipients) {
    finish(
        Error{Code::too_many_recipients,
              "one call may have " + std::to_string(limits_.recipients) + " recipients at most"});
    return false;
  }
  if (!seen_.insert(recipient.text).second) return true;
  if (!held_.add(weight_of(recipient.text), limits_.in_hand)) {
    finish(overloaded());
    return false;
  }
  found_.letters.back().to.push_back(std::move(recipient));
  return true;
}

void Resolving::finish(Or<Mail> outcome) { then_(std::move(outcome), std::move(held_)); }

}  // namespace letterbox
