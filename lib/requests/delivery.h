// SPDX-License-Identifier: MIT
//
// Brings the letters of one call into the store, or into the calendar if they are to be pushed
// later, from the first letter to the answer.
//
// The letters go in shares. A call of one share goes at once; nearly all calls are such. Any other
// call takes turns (turns.h). So a long message to many users is not in memory once a user, and
// other pushes get in between. For one worker's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "mailbox/calendar.h"
#include "mailbox/store.h"
#include "requests/mail.h"
#include "requests/outcomes.h"
#include "requests/turns.h"

namespace letterbox {

class Delivery final : public Turns::Call, public std::enable_shared_from_this<Delivery> {
 public:
  // `mail` names only users, each once a letter. `store` and `calendar` outlive the Delivery.
  Delivery(Store& store, Calendar& calendar, std::shared_ptr<Turns> turns, Mail mail, Held held,
           Outcomes::Then then);

  // The delivery then goes on by itself until `then` has got the answer.
  void begin();

  size_t send_share() override;
  bool has_more() const override { return next_.letter < mail_.letters.size(); }

 private:
  // Recipients of the same letter, in a row.
  struct Share {
    size_t letter;
    size_t recipient;  // index of the first one in the letter
    size_t at;         // index of the first one in the call
    size_t count;
  };

  // The next share: recipients that can be delivered to, or one recipient that can't.
  Share cut_share() const;
  void skip(const Share& share);
  void send(const Share& share);
  template <class Outcome>
  void settle(const Share& share, const std::vector<Or<Outcome>>& outcomes);
  // The reason why a recipient can't be delivered to; none if it can.
  std::optional<Error> refusal(const Letter& letter, const Recipient& recipient) const;

  Store& store_;
  Calendar& calendar_;
  const std::shared_ptr<Turns> turns_;
  const Mail mail_;
  const Held held_;
  Outcomes outcomes_;

  Share next_{};  // the first recipient that is not yet sent to; past the end: all are
  bool takes_turns_ = false;
  size_t failed_in_a_row_ = 0;
  std::optional<Error> given_up_;
};

}  // namespace letterbox
