// SPDX-License-Identifier: MIT
//
// Signed tokens: JSON Web Tokens (RFC 7519) in the compact form of RFC 7515, made by a back end
// that shares a key with us, so that nobody need be asked who a client is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace letterbox {

// What a token that may be believed says. Times are of the wall clock, milliseconds since 1970.
struct Signed {
  std::string user;                   // `sub`
  std::optional<uint64_t> issued_ms;  // `iat`
  uint64_t expires_ms;  // from when on it is refused: `exp` and the leeway. Later than the check.
};

// Why a token is refused.
enum class Unfit {
  malformed,       // no token at all, or without `exp` or `sub`
  unknown_key,     // signed by nobody we know, or by another algorithm than the key is for
  not_yet,         // `nbf` or `iat` is still to come
  expired,         // `exp` has passed
  other_audience,  // it is for somebody else
  lives_too_long,  // `exp` is further away than is allowed
  bad_user,        // `sub` is no user's name
};

// Constant after construction; any thread.
class SignedTokens {
 public:
  struct Rules {
    std::string audience;  // one of a token's `aud` must be it; empty: any, or none
    uint64_t life_max_ms;  // how far away `exp` may be
    uint64_t leeway_ms;    // how much the signer's clock may differ from ours
  };

  // Checks nothing: there is no key.
  SignedTokens() = default;

  // The contents of key files as they stand: each a public key in PEM (RSA of 2048 bits or more,
  // for RS256; Ed25519, for EdDSA), or else a secret for HS256 of at least 32 bytes, from which a
  // final end of line is taken off. The error says what is wrong with which of them (the first is
  // key 1), and none of what is in it.
  static Result<SignedTokens, std::string> with(const std::vector<std::string>& key_files_contents,
                                                Rules rules);

  bool any() const { return !keys_.empty(); }

  // Nothing in `token` is believed, or even read, before a key has vouched for it, but the name of
  // its algorithm, which must be that of the key. At most 8 KiB.
  Result<Signed, Unfit> check(std::string_view token, uint64_t now_ms) const;

 private:
  struct Key;  // keeps OpenSSL out of this header

  static Result<Key, std::string> read_key(std::string_view contents);

  std::vector<std::shared_ptr<const Key>> keys_;
  Rules rules_{};
};

}  // namespace letterbox
