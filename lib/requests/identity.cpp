// SPDX-License-Identifier: MIT
#include "requests/identity.h"

#include <algorithm>
#include <optional>

#include "model/names.h"
#include "requests/bearer.h"
#include "requests/reply.h"
#include "secret/base64url.h"
#include "secret/digest.h"
#include "secret/random.h"

namespace letterbox {

namespace {

constexpr std::string_view kCookie = "letterbox_token";
constexpr std::string_view kOurs = "lb_";
constexpr size_t kSecretBytes = 32;

// The value of the first cookie named letterbox_token: browsers put the one with the longest path
// first.
std::optional<std::string_view> cookie(std::string_view cookies) {
  while (!cookies.empty()) {
    const size_t end = cookies.find(';');
    auto pair = cookies.substr(0, end);
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) == kCookie) {
      return equals == std::string_view::npos ? "" : pair.substr(equals + 1);
    }
    cookies.remove_prefix(end == std::string_view::npos ? cookies.size() : end + 1);
  }
  return std::nullopt;
}

Or<Shown> named(std::string_view user, bool ambient = false) {
  if (valid_user(user)) return Shown{.user = std::string(user), .ambient = ambient};
  return bad_user();
}

Or<Shown> holding(std::string_view token, bool ambient = false) {
  if (!token.empty()) return Shown{.token = std::string(token), .ambient = ambient};
  return bad_token();
}

// The user of a token that make_token() made; none if the token has another form.
std::optional<std::string> owner(std::string_view token) {
  token.remove_prefix(kOurs.size());
  const size_t dot = token.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  auto user = from_base64url(token.substr(0, dot));
  const auto secret = from_base64url(token.substr(dot + 1));
  if (!user || !valid_user(*user) || !secret || secret->size() != kSecretBytes) return std::nullopt;
  return user;
}

}  // namespace

Or<Shown> identify(const Request& request, const Query& query, bool open) {
  if (!request.mailbox_user.empty()) return named(request.mailbox_user, true);
  if (const auto token = bearer(request.authorization)) return holding(*token);
  if (const auto token = cookie(request.cookie)) return holding(*token, true);
  const auto token = query.single("token");
  if (!token) return token.error();
  if (*token) return holding(**token);
  if (!open) return Error{Code::no_identity, "nobody said whose mailbox this is about"};
  const auto user = query.single("user");
  if (!user) return user.error();
  if (!*user) return Error{Code::no_identity, "say whose mailbox: user=NAME"};
  return named(**user);
}

Or<Claim> to_claim(const Shown& shown, const SignedTokens& keys, uint64_t now_ms) {
  if (shown.token.empty()) return Claim{.user = shown.user};
  Claim claim{.proof = Claim::Proof::token, .hash = key_of(shown)};
  if (shown.token.starts_with(kOurs)) {
    auto user = owner(shown.token);
    if (!user) return bad_token();
    claim.user = std::move(*user);
    return claim;
  }
  if (!keys.any()) return bad_token();
  const auto read = keys.check(shown.token, now_ms);
  if (!read) return bad_token();
  claim.proof = Claim::Proof::signed_;
  claim.user = read->user;
  claim.issued_ms = read->issued_ms;
  claim.expires_ms = read->expires_ms;
  return claim;
}

std::string key_of(const Shown& shown) {
  if (shown.token.empty()) return Claim{.user = shown.user}.key();
  return sha256_hex(shown.token);
}

std::string make_token(std::string_view user) {
  return std::string(kOurs) + base64url(user) + '.' + base64url(random_secret(kSecretBytes));
}

}  // namespace letterbox
