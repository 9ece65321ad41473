// SPDX-License-Identifier: MIT
//
// One call's letters on their way into the store, from the first to the answer. A few are under way
// at a time, and the rest follows as those arrive: so a long message to many is not in memory once
// for each, and other pushes find their way in between. For one worker's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "handlers/mail.h"
#include "handlers/outcomes.h"
#include "mailbox/store.h"

namespace letterbox {

class Delivery : public std::enable_shared_from_this<Delivery> {
 public:
  // `mail` names users alone, each once a letter. `store` outlives it.
  Delivery(Store& store, Mail mail, Held held, Outcomes::Then then);

  // Goes on by itself until `then` has got the answer.
  void go_on();

 private:
  // Some in a row that the same message is for.
  struct Share {
    size_t letter;
    size_t recipient;  // the first of them, among those of the letter
    size_t at;         // and among all
    size_t count;
  };

  bool next_letter();
  void send_share();
  void send(const Share& share);
  void settle(const Share& share, const std::vector<Or<Pushed>>& outcomes);
  // Why it can't be delivered to, if so.
  std::optional<Error> refusal(const Letter& letter, const Recipient& recipient) const;

  Store& store_;
  const Mail mail_;
  const Held held_;
  Outcomes outcomes_;

  Share next_{};
  size_t recipients_under_way_ = 0;
  size_t bytes_under_way_ = 0;
  bool sending_ = false;
  size_t failed_in_a_row_ = 0;
  std::optional<Error> given_up_;
};

}  // namespace letterbox
