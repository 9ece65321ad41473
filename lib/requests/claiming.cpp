// SPDX-License-Identifier: MIT
#include "requests/claiming.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "requests/reply.h"

namespace letterbox {

namespace {

Error key_reused() {
  return {Code::key_reused,
          "this Idempotency-Key was used for another push: make a new one for each"};
}

}  // namespace

Claiming::Claiming(IdempotencyKeys& keys, Mail mail, Held held, Then then)
    : keys_(keys), mail_(std::move(mail)), held_(std::move(held)), then_(std::move(then)) {}

bool Claiming::is_needed(const Mail& mail) {
  return mail.key || std::any_of(mail.letters.begin(), mail.letters.end(),
                                 [](const Letter& letter) { return letter.key.has_value(); });
}

void Claiming::begin() {
  if (mail_.key) {
    ++left_;
    keys_.claim(*mail_.key, [self = shared_from_this()](const Or<KeyClaim>& claim) {
      self->of_the_call(claim);
    });
  }
  for (auto& letter : mail_.letters) {
    if (!letter.key || !letter.element) continue;
    ++left_;
    keys_.claim(*letter.key, [self = shared_from_this(), &letter](const Or<KeyClaim>& claim) {
      self->of_a_letter(letter, claim);
    });
  }
  one_less();
}

void Claiming::of_the_call(const Or<KeyClaim>& claim) {
  if (!claim) {
    instead_ = to_response(claim.error());
  } else if (claim->other_content) {
    instead_ = to_response(key_reused());
  } else if (claim->kept) {
    instead_ = Response{claim->kept->status, claim->kept->body, std::string(kReplayed)};
  }
  one_less();
}

// (No answer of a letter is kept: its recipients have records.)
void Claiming::of_a_letter(Letter& letter, const Or<KeyClaim>& claim) {
  if (!claim) {
    letter.element = claim.error();
  } else if (claim->other_content) {
    letter.element = key_reused();
  }
  one_less();
}

void Claiming::one_less() {
  assert(left_ > 0);
  if (--left_ == 0) then_(std::move(instead_), std::move(mail_), std::move(held_));
}

}  // namespace letterbox
