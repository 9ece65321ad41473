// SPDX-License-Identifier: MIT
//
// secret/signed_token.h and its parser: a token from any client, and (the input's first line as
// header, the rest as claims) one that is well signed, with any content.
#include "secret/signed_token.h"

#include "model/json_members.h"
#include "model/names.h"
#include "secret/base64url.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/token_maker.h"

namespace letterbox::fuzz {
namespace {

constexpr uint64_t kNow = 1'795'294'122'000;
constexpr uint64_t kLifeMax = 86'400'000;
constexpr uint64_t kLeeway = 5000;
constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
// The secret of RFC 8037, appendix A.
constexpr std::string_view kPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
    "-----END PUBLIC KEY-----\n";

const SignedTokens& tokens() {
  static const SignedTokens tokens =
      SignedTokens::with({std::string(kPublic), std::string(kSecret)}, {"", kLifeMax, kLeeway})
          .value();
  return tokens;
}

void must_be_lawful(const Signed& token) {
  must(valid_user(token.user), "a user who is let in has a valid name");
  must(token.expires_ms > kNow, "an accepted token has not expired");
  must(token.expires_ms <= kNow + kLifeMax + 2 * kLeeway, "an accepted token ends in time");
  must(!token.issued_ms || *token.issued_ms <= kNow + kLeeway, "it was made before it came");
}

void try_as_sent(std::string_view token) {
  const auto checked = tokens().check(token, kNow);
  if (!checked) return;
  must_be_lawful(*checked);
  const size_t first = token.find('.');
  const size_t last = token.rfind('.');
  const auto header = from_base64url(token.substr(0, first));
  const auto claims = from_base64url(token.substr(first + 1, last - first - 1));
  must(header && claims && test::hs256(kSecret, *header, *claims) == token,
       "no token is accepted without the secret");
}

void try_as_said(std::string_view header, std::string_view claims) {
  std::string token = test::hs256(kSecret, header, claims);
  const auto checked = tokens().check(token, kNow);
  if (!checked) return;
  must_be_lawful(*checked);
  const auto read = json_members(header);
  must(read && read->at("alg").text == "HS256" && !read->contains("crit"),
       "the header is understood, and names the algorithm of the key");
  const auto said = json_members(claims);
  must(said && said->at("sub").text == checked->user, "the user is its subject");
  must(!tokens().check(test::hs256(std::string(kSecret) + '\n', header, claims), kNow),
       "another secret does not do");
  token.back() = token.back() == 'A' ? 'E' : 'A';
  must(!tokens().check(token, kNow), "no other signature does");
}

}  // namespace

void try_one(std::string_view input) {
  const auto bytes = from_base64url(input);
  must(!bytes || base64url(*bytes) == input, "there is one way to write some bytes");
  must(from_base64url(base64url(input)) == input, "bytes that were written are read back");
  try_as_sent(input);
  const std::string_view header = next_line(input);
  try_as_said(header, input);
}

}  // namespace letterbox::fuzz
