// SPDX-License-Identifier: MIT
//
// One call's letters on their way into the store, from the first to the answer. They go in shares.
// A call of one share, as nearly all are, goes at once; any other takes its turns (turns.h): so a
// long message to many is not in memory once for each, and other pushes find their way in between.
// For one worker's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "handlers/mail.h"
#include "handlers/outcomes.h"
#include "handlers/turns.h"
#include "mailbox/store.h"

namespace letterbox {

class Delivery final : public Turns::Call, public std::enable_shared_from_this<Delivery> {
 public:
  // `mail` names users alone, each once a letter. `store` outlives it.
  Delivery(Store& store, std::shared_ptr<Turns> turns, Mail mail, Held held, Outcomes::Then then);

  // Goes on by itself until `then` has got the answer.
  void begin();

  size_t send_share() override;
  bool has_more() const override { return next_.letter < mail_.letters.size(); }

 private:
  // Some in a row that the same message is for.
  struct Share {
    size_t letter;
    size_t recipient;  // the first of them, among those of the letter
    size_t at;         // and among all
    size_t count;
  };

  // The next share: some that can be delivered to, or one that can't.
  Share cut_share() const;
  void skip(const Share& share);
  void send(const Share& share);
  void settle(const Share& share, const std::vector<Or<Pushed>>& outcomes);
  // Why it can't be delivered to, if so.
  std::optional<Error> refusal(const Letter& letter, const Recipient& recipient) const;

  Store& store_;
  const std::shared_ptr<Turns> turns_;
  const Mail mail_;
  const Held held_;
  Outcomes outcomes_;

  Share next_{};  // of the letters and recipients not yet sent, the first; past the end: no more
  bool takes_turns_ = false;
  size_t failed_in_a_row_ = 0;
  std::optional<Error> given_up_;
};

}  // namespace letterbox
