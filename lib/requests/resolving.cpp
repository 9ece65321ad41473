// SPDX-License-Identifier: MIT
#include "requests/resolving.h"

#include <cassert>
#include <utility>

#include "base/rare.h"
#include "model/names.h"

namespace letterbox {

namespace {

// About what a name takes up in memory: once among the recipients, and once in `seen_`.
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
    assert(recipient_ <= letter.to.size());
    if (recipient_ == letter.to.size()) {
      ++letter_;
      recipient_ = 0;
      continue;
    }
    if (recipient_ == 0) {
      seen_.clear();
      found_.letters.push_back(
          {std::move(letter.element), {}, std::move(letter.options), letter.due_ms});
    }
    // The error of a letter is reported for its recipients as they were written, so a group in it
    // is not resolved.
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
    // (An administrator may have put any text there by hand. No such text stands for other users.)
    if (!add({name, valid_user(name) ? Recipient::Kind::user : Recipient::Kind::bad_user})) return;
  }
  from_ = page->next;
  if (!from_.empty()) return ask();
  ++recipient_;
  go_on();
}

// Returns false if the recipient is one too many, or its name needs more memory than there is: then
// finish() was called.
bool Resolving::add(Recipient recipient) {
  if (++count_ > limits_.recipients) {
    finish(
        Error{Code::too_many_recipients,
              "one call may have " + std::to_string(limits_.recipients) + " recipients at most"});
    return false;
  }
  if (!seen_.insert(recipient.text).second) return true;
  if (!held_.add(weight_of(recipient.text), limits_.in_hand)) {
    rare<"a broadcast needs more memory than is there">();
    finish(overloaded());
    return false;
  }
  found_.letters.back().to.push_back(std::move(recipient));
  return true;
}

void Resolving::finish(Or<Mail> outcome) {
  assert(!outcome || outcome->letters.size() == asked_.letters.size());
  then_(std::move(outcome), std::move(held_));
}

}  // namespace letterbox
