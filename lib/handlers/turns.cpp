// SPDX-License-Identifier: MIT
#include "handlers/turns.h"

#include <utility>

namespace letterbox {

namespace {

constexpr size_t kRecipientsUnderWayMost = 100;
constexpr size_t kBytesUnderWayMost = 1'048'576;
constexpr size_t kRecipientsATurn = 50;

}  // namespace

void Turns::join(std::shared_ptr<Call> call) {
  waiting_.push_back(std::move(call));
  go_on();
}

void Turns::take(size_t recipients, size_t bytes) {
  recipients_under_way_ += recipients;
  bytes_under_way_ += bytes;
}

void Turns::give_back(size_t recipients, size_t bytes) {
  recipients_under_way_ -= recipients;
  bytes_under_way_ -= bytes;
  go_on();
}

void Turns::go_on() {
  if (sending_) return;  // the store has answered at once
  sending_ = true;
  while (!waiting_.empty() && recipients_under_way_ < kRecipientsUnderWayMost &&
         bytes_under_way_ < kBytesUnderWayMost) {
    const auto call = waiting_.front();
    sent_this_turn_ += call->send_share();
    const bool more = call->has_more();
    if (more && sent_this_turn_ < kRecipientsATurn) continue;
    waiting_.pop_front();
    sent_this_turn_ = 0;
    if (more) waiting_.push_back(call);
  }
  sending_ = false;
}

}  // namespace letterbox
