// SPDX-License-Identifier: MIT
//
// requests/identity.h: the user of a request, from the values of headers and the query, and the
// claim made by it. The input's lines: MAILBOX_USER, Authorization, Cookie, the query.
#include "requests/identity.h"

#include "model/names.h"
#include "secret/base64url.h"
#include "secret/digest.h"
#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {
namespace {

constexpr uint64_t kNow = 1'795'287'654'123;

const SignedTokens& keys() {
  static const SignedTokens keys =
      SignedTokens::with({"a secret of thirty-two bytes, or more"},
                         {.audience = {}, .life_max_ms = 86'400'000, .leeway_ms = 5000})
          .value();
  return keys;
}

bool same(const Or<Shown>& a, const Or<Shown>& b) {
  if (!a || !b) return !a && !b && a.error() == b.error();
  return a->user == b->user && a->token == b->token;
}

// An issued token has only one form: its parts, put together again, are that token.
void must_be_ours(const Claim& claim, std::string_view token) {
  const size_t dot = token.find('.');
  must(token.substr(0, dot) == "lb_" + base64url(claim.user), "a token names its user");
  const auto secret = from_base64url(token.substr(dot + 1));
  must(secret && secret->size() == 32, "a token's secret has 256 bits");
  must(claim.hash == sha256_hex(token), "a token's key is its hash");
}

void try_claim(const Shown& shown) {
  const auto claim = to_claim(shown, keys(), kNow);
  if (!claim) {
    must(!shown.token.empty() && claim.error().code == Code::bad_token, "only a token is bad");
    return;
  }
  must(valid_user(claim->user), "a claim is a user's");
  must(claim->key() == key_of(shown), "a claim has the key of what was shown");
  switch (claim->proof) {
    case Claim::Proof::vouched:
      must(shown.token.empty() && claim->user == shown.user,
           "a user whom nginx vouches for has no token");
      break;
    case Claim::Proof::token:
      must_be_ours(*claim, shown.token);
      break;
    case Claim::Proof::signed_:
      must(claim->expires_ms > kNow, "a signed token has not ended");
      break;
  }
}

void try_with(const Request& request, const Query& query, bool open) {
  const auto shown = identify(request, query, open);
  if (shown) {
    must(shown->token.empty() ? valid_user(shown->user) : shown->user.empty(),
         "an identity is a valid name, or a token");
    try_claim(*shown);
  } else {
    const Code code = shown.error().code;
    must(code == Code::no_identity || code == Code::bad_user || code == Code::bad_token ||
             code == Code::repeated_parameter,
         "a request without an identity is told why");
  }
  const Query nothing = Query::parse("").value();
  if (!request.mailbox_user.empty()) {
    Request by_nginx;
    by_nginx.mailbox_user = request.mailbox_user;
    must(same(shown, identify(by_nginx, nothing, open)), "if nginx vouches nothing else counts");
    return;
  }
  const auto by_headers = identify(request, nothing, false);
  const bool token_in_headers = by_headers && !by_headers->token.empty();
  if (token_in_headers) must(same(shown, by_headers), "a header's token comes before the query");
  must(open || !shown || !shown->token.empty(), "a closed server believes no user=");
}

}  // namespace

void try_one(std::string_view input) {
  // As a token by itself, with any line endings and blanks in it.
  if (!input.empty()) try_claim({.token = std::string(input)});
  Request request;
  request.mailbox_user = next_line(input);
  request.authorization = next_line(input);
  request.cookie = next_line(input);
  const auto query = Query::parse(input);
  if (!query) return;
  try_with(request, *query, false);
  try_with(request, *query, true);
}

}  // namespace letterbox::fuzz
