// SPDX-License-Identifier: MIT
//
// Who asks. Decided in this order, and a later one is never consulted where an earlier one is
// present:
//   1. MAILBOX_USER, which nginx sets and no client can forge
//   2. a token: Authorization: Bearer, the cookie letterbox_token, or token= in the query
//   3. user= in the query, only where the server was started with --open
#pragma once

#include <string>

#include "fastcgi/request.h"
#include "mailbox/access.h"
#include "model/error.h"
#include "model/query.h"
#include "secret/signed_token.h"

namespace letterbox {

// What somebody shows: a name for which somebody else vouches, or a token, of which nothing has
// been checked.
struct Shown {
  std::string user = {};
  std::string token = {};  // empty: there is a name
  // A browser sends it along whichever page has it ask: a cookie, or what nginx knows by one, or by
  // a password that was given once.
  bool ambient = false;
};

// Errors: no_identity, bad_user, bad_token (an empty one), repeated_parameter.
Or<Shown> identify(const Request& request, const Query& query, bool open);

// What is claimed by what was shown. Checks the form of a token, and the signature of a signed one;
// whether it is good otherwise, Redis knows (mailbox/access.h). Error: bad_token.
Or<Claim> to_claim(const Shown& shown, const SignedTokens& keys, uint64_t now_ms);

// The key of that claim (Claim::key), which costs less than the claim.
std::string key_of(const Shown& shown);

// A token for that user, unguessable: "lb_USER.SECRET", both in base64url, 256 bits from the
// system.
std::string make_token(std::string_view user);

}  // namespace letterbox
