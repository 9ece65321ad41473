// SPDX-License-Identifier: MIT
#include "requests/turns.h"

#include <cassert>
#include <utility>

#include "base/limits.h"

namespace letterbox {

void Turns::join(std::shared_ptr<Call> call) {
  waiting_.push_back(std::move(call));
  go_on();
}

void Turns::take(size_t recipients, size_t bytes) {
  recipients_under_way_ += recipients;
  bytes_under_way_ += bytes;
}

void Turns::give_back(size_t recipients, size_t bytes) {
  assert(recipients <= recipients_under_way_ && bytes <= bytes_under_way_);
  recipients_under_way_ -= recipients;
  bytes_under_way_ -= bytes;
  go_on();
}

void Turns::go_on() {
  if (sending_) return;  // the store answered inside send_share(): the loop below goes on
  sending_ = true;
  while (!waiting_.empty() && recipients_under_way_ < kUnderWayRecipients &&
         bytes_under_way_ < kUnderWayBytes) {
    const auto call = waiting_.front();
    assert(call->has_more());
    sent_this_turn_ += call->send_share();
    const bool more = call->has_more();
    if (more && sent_this_turn_ < kTurnRecipients) continue;
    waiting_.pop_front();
    sent_this_turn_ = 0;
    if (more) waiting_.push_back(call);
  }
  sending_ = false;
}

}  // namespace letterbox
