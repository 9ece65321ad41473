// SPDX-License-Identifier: MIT
#include "mailbox/access.h"

namespace letterbox {

namespace {

std::string because(std::string_view what, std::string_view reason) {
  return std::string(what) + (reason.empty() ? "" : ": ") + std::string(reason);
}

// Whether a token was issued at `then_ms` or before. One that does not say when counts as older.
bool older(std::optional<uint64_t> issued_ms, uint64_t then_ms) {
  return !issued_ms || *issued_ms <= then_ms;
}

}  // namespace

Error bad_token() { return {Code::bad_token, "this token is not, or no longer, good"}; }

Or<Admission> judge(const Claim& claim, const Standing& standing, const std::optional<Token>& token,
                    uint64_t now_ms) {
  const bool vouched = claim.proof == Claim::Proof::vouched;
  const bool is_signed = claim.proof == Claim::Proof::signed_;
  // The token is judged first, so that a guessed token reveals nothing about the user.
  const uint64_t ends = is_signed ? claim.expires_ms : token ? token->expires_ms : 0;
  const bool known = vouched || ends > now_ms;
  const bool revoked =
      is_signed && standing.revoked_ms && older(claim.issued_ms, *standing.revoked_ms);
  if (!known || revoked) return bad_token();

  if (standing.locked) return Error{Code::locked, because("locked", standing.locked->reason)};
  if (const auto& kick = standing.kicked) {
    const auto issued = token ? std::optional(token->created_ms) : claim.issued_ms;
    const bool out = vouched ? kick->until_ms > now_ms : older(issued, kick->at_ms);
    if (out) return Error{Code::kicked, because("kicked", kick->reason)};
  }
  Admission admission{.claim = claim};
  admission.expires_ms = claim.expires_ms;
  if (token) {
    admission.client = token->client;
    admission.data = token->data;
    admission.expires_ms = token->expires_ms;
    admission.slide_ms = token->slide_ms;
  }
  return admission;
}

}  // namespace letterbox
