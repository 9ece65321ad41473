// SPDX-License-Identifier: MIT
#include "handlers/delivery.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "handlers/reply.h"

namespace letterbox {

namespace {

// What is one step of the store: half a millisecond for Redis, in which it does nothing else. Of
// two such steps one can be under way while the other's answer is read.
constexpr size_t kShareMost = 50;
constexpr size_t kRecipientsUnderWayMost = 2 * kShareMost;
constexpr size_t kBytesUnderWayMost = 1'048'576;

// A store that fails so many in a row is away. Asking it for the others would take as long for
// each.
constexpr size_t kGiveUpAfter = 100;

Outcomes::Shape shape_of(const Mail& mail) {
  if (mail.broadcast) return Outcomes::Shape::summary;
  return mail.many ? Outcomes::Shape::list : Outcomes::Shape::single;
}

}  // namespace

Delivery::Delivery(Store& store, Mail mail, Held held, Outcomes::Then then)
    : store_(store),
      mail_(std::move(mail)),
      held_(std::move(held)),
      outcomes_(shape_of(mail_), mail_.recipients(), std::move(then)) {}

void Delivery::go_on() {
  if (sending_) return;  // the store has answered at once
  sending_ = true;
  while (recipients_under_way_ < kRecipientsUnderWayMost && bytes_under_way_ < kBytesUnderWayMost &&
         next_letter()) {
    send_share();
  }
  sending_ = false;
}

bool Delivery::next_letter() {
  while (next_.letter < mail_.letters.size() &&
         next_.recipient == mail_.letters[next_.letter].to.size()) {
    ++next_.letter;
    next_.recipient = 0;
  }
  return next_.letter < mail_.letters.size();
}

void Delivery::send_share() {
  const Letter& letter = mail_.letters[next_.letter];
  Share share = next_;
  share.count = 1;
  const auto refused = refusal(letter, letter.to[share.recipient]);
  if (!refused) {
    const size_t most =
        std::clamp(kBytesUnderWayMost / (letter.element->size() + 1), size_t{1}, kShareMost);
    const size_t left = letter.to.size() - share.recipient;
    while (share.count < std::min(most, left) &&
           !refusal(letter, letter.to[share.recipient + share.count])) {
      ++share.count;
    }
  }
  next_.recipient += share.count;
  next_.at += share.count;
  if (refused) {
    outcomes_.settle(share.at, letter.to[share.recipient].text, *refused);
  } else {
    send(share);
  }
}

std::optional<Error> Delivery::refusal(const Letter& letter, const Recipient& recipient) const {
  if (!letter.element) return letter.element.error();
  if (recipient.kind == Recipient::Kind::user) return given_up_;
  if (recipient.kind == Recipient::Kind::bad_group) return bad_group();
  return bad_user();
}

void Delivery::send(const Share& share) {
  const Letter& letter = mail_.letters[share.letter];
  std::vector<std::string_view> users;
  users.reserve(share.count);
  for (size_t i = 0; i < share.count; ++i) users.push_back(letter.to[share.recipient + i].text);
  recipients_under_way_ += share.count;
  bytes_under_way_ += share.count * letter.element->size();
  store_.push_each(users, *letter.element,
                   [self = shared_from_this(), share](const auto& outcomes) {
                     self->settle(share, outcomes);
                     self->go_on();
                   });
}

void Delivery::settle(const Share& share, const std::vector<Or<Pushed>>& outcomes) {
  const Letter& letter = mail_.letters[share.letter];
  recipients_under_way_ -= share.count;
  bytes_under_way_ -= share.count * letter.element->size();
  for (size_t i = 0; i < share.count; ++i) {
    failed_in_a_row_ = outcomes[i] ? 0 : failed_in_a_row_ + 1;
    if (failed_in_a_row_ == kGiveUpAfter) given_up_ = outcomes[i].error();
    outcomes_.settle(share.at + i, letter.to[share.recipient + i].text, outcomes[i]);
  }
}

}  // namespace letterbox
