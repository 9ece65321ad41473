// SPDX-License-Identifier: MIT
//
// Has the Idempotency-Keys of a call looked up, before anything of it is delivered. For one
// worker's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "base/callback.h"
#include "fastcgi/answer.h"
#include "mailbox/idempotency.h"
#include "requests/mail.h"

namespace letterbox {

class Claiming : public std::enable_shared_from_this<Claiming> {
 public:
  // The mail to deliver, or the answer to the call instead.
  using Then = Callback<void(std::optional<Response>, Mail, Held)>;

  // `keys` outlives the Claiming.
  Claiming(IdempotencyKeys& keys, Mail mail, Held held, Then then);

  // Claiming then goes on by itself. It may reach its end before begin() returns.
  void begin();

  static bool is_needed(const Mail& mail);

 private:
  void of_the_call(const Or<KeyClaim>& claim);
  void of_a_letter(Letter& letter, const Or<KeyClaim>& claim);
  void one_less();

  IdempotencyKeys& keys_;
  Mail mail_;
  Held held_;
  Then then_;
  size_t left_ = 1;  // claims without an answer, and begin() itself
  std::optional<Response> instead_;
};

}  // namespace letterbox
