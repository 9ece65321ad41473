// SPDX-License-Identifier: MIT
//
// The identity of a request. The first of these that is present decides; later ones are not looked
// at:
//   1. MAILBOX_USER, which nginx sets and no client can forge
//   2. a token: Authorization: Bearer, the cookie letterbox_token, or token= in the query
//   3. user= in the query, only if the server was started with --open
#pragma once

#include <string>

#include "fastcgi/request.h"
#include "mailbox/access.h"
#include "model/error.h"
#include "model/query.h"
#include "secret/signed_token.h"

namespace letterbox {

// The identity that a request shows: a user name, for which nginx or --open vouches, or a token.
// Nothing of the token has been checked yet.
struct Shown {
  std::string user = {};
  std::string token = {};  // empty: `user` is set
  // The browser adds the identity by itself, for any page: a cookie, or a name that nginx knows by
  // a cookie or by a password that was given once.
  bool ambient = false;
};

// Errors: no_identity, bad_user, bad_token (an empty one), repeated_parameter.
Or<Shown> identify(const Request& request, const Query& query, bool open);

// The claim that an identity makes. This checks the form of a token, and the signature of a signed
// token. Redis knows whether the token is good otherwise (mailbox/access.h). Error: bad_token.
Or<Claim> to_claim(const Shown& shown, const SignedTokens& keys, uint64_t now_ms);

// The key of that claim (Claim::key). It costs less than the claim.
std::string key_of(const Shown& shown);

// A new token for a user: "lb_USER.SECRET", both parts in base64url. It can't be guessed: the
// secret is 256 random bits from the system.
std::string make_token(std::string_view user);

}  // namespace letterbox
