// SPDX-License-Identifier: MIT
#include "requests/delivery.h"

#include <algorithm>
#include <cassert>
#include <span>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "base/rare.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

// After this many failures in a row the store counts as away, and the delivery stops asking.
// Asking for the other recipients would take as long for each.
constexpr size_t kGiveUpAfter = 100;

Outcomes::Shape shape_of(const Mail& mail) {
  if (mail.broadcast) return Outcomes::Shape::summary;
  return mail.many ? Outcomes::Shape::list : Outcomes::Shape::single;
}

}  // namespace

Delivery::Delivery(Store& store, Calendar& calendar, std::shared_ptr<Turns> turns, Mail mail,
                   Held held, Outcomes::Then then)
    : store_(store),
      calendar_(calendar),
      turns_(std::move(turns)),
      mail_(std::move(mail)),
      held_(std::move(held)),
      outcomes_(shape_of(mail_), mail_.recipients(), std::move(then)) {
  skip({});
}

void Delivery::begin() {
  if (!has_more()) return;
  takes_turns_ = cut_share().count < mail_.recipients();
  if (takes_turns_) {
    turns_->join(shared_from_this());
  } else {
    send_share();
  }
}

size_t Delivery::send_share() {
  const Share share = cut_share();
  skip(share);
  const Letter& letter = mail_.letters[share.letter];
  const Recipient& first = letter.to[share.recipient];
  if (const auto refused = refusal(letter, first)) {
    outcomes_.settle(share.at, first.text, Or<Pushed>(*refused));
  } else {
    send(share);
  }
  return share.count;
}

Delivery::Share Delivery::cut_share() const {
  assert(has_more());
  const Letter& letter = mail_.letters[next_.letter];
  assert(next_.recipient < letter.to.size());
  Share share = next_;
  share.count = 1;
  if (refusal(letter, letter.to[share.recipient])) return share;
  const size_t most =
      std::clamp(kStepBytes / (letter.element->size() + 1), size_t{1}, kStepRecipients);
  const size_t left = letter.to.size() - share.recipient;
  while (share.count < std::min(most, left) &&
         !refusal(letter, letter.to[share.recipient + share.count])) {
    ++share.count;
  }
  assert(share.count <= kStepRecipients);
  return share;
}

// Moves `next_` to the first recipient after the share.
void Delivery::skip(const Share& share) {
  next_.recipient += share.count;
  next_.at += share.count;
  while (has_more() && next_.recipient == mail_.letters[next_.letter].to.size()) {
    ++next_.letter;
    next_.recipient = 0;
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
  const size_t bytes = share.count * letter.element->size();
  if (takes_turns_) turns_->take(share.count, bytes);
  const auto then = [self = shared_from_this(), share, bytes](const auto& outcomes) {
    self->settle(share, outcomes);
    if (self->takes_turns_) self->turns_->give_back(share.count, bytes);
  };
  if (letter.due_ms > 0) {
    calendar_.add_each(users, *letter.element, letter.due_ms, letter.options, then);
  } else {
    store_.push_each(users, *letter.element, letter.options, then);
  }
}

template <class Outcome>
void Delivery::settle(const Share& share, const std::vector<Or<Outcome>>& outcomes) {
  const Letter& letter = mail_.letters[share.letter];
  assert(outcomes.size() == share.count);
  for (size_t i = 0; i < share.count; ++i) {
    const bool away = !outcomes[i] && outcomes[i].error().code == Code::store_unavailable;
    failed_in_a_row_ = away ? failed_in_a_row_ + 1 : 0;
    if (failed_in_a_row_ == kGiveUpAfter) {
      rare<"a store fails so often that the rest of a push is given up">();
      given_up_ = outcomes[i].error();
    }
    outcomes_.settle(share.at + i, letter.to[share.recipient + i].text, outcomes[i]);
  }
}

}  // namespace letterbox
