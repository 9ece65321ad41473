// SPDX-License-Identifier: MIT
//
// Signed tokens: JSON Web Tokens (RFC 7519) in the compact form of RFC 7515. A back end that shares
// a key with Letterbox makes them, so that Letterbox need not ask it who a client is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace letterbox {

// The claims of a token that passed the check. Times are wall clock, in milliseconds since 1970.
struct Signed {
  std::string user;                   // `sub`
  std::optional<uint64_t> issued_ms;  // `iat`
  uint64_t expires_ms;  // when the token ends: `exp` plus the leeway; later than the check
};

// Why a token is refused.
enum class Unfit {
  malformed,       // no token, or without `exp` or `sub`
  unknown_key,     // signed by an unknown key, or by another algorithm than its key is for
  not_yet,         // `nbf` or `iat` is in the future
  expired,         // `exp` has passed
  other_audience,  // `aud` does not have our audience
  lives_too_long,  // `exp` is further away than Rules::life_max_ms
  bad_user,        // `sub` is not a valid user name
};

// Constant after construction; any thread.
class SignedTokens {
 public:
  struct Rules {
    std::string audience;  // one of a token's `aud` must equal it; empty: no check
    uint64_t life_max_ms;  // how far away `exp` may be
    uint64_t leeway_ms;    // how much the signer's clock may differ from ours
  };

  // Has no key, so every token is refused.
  SignedTokens() = default;

  // Takes the contents of key files, unchanged. Each is a public key in PEM (RSA of at least 2048
  // bits, for RS256; Ed25519, for EdDSA), or else a secret of at least 32 bytes for HS256, from
  // which a final line end is removed. The error says what is wrong with which key (the first is
  // key 1), and nothing of its contents.
  static Result<SignedTokens, std::string> with(const std::vector<std::string>& key_files_contents,
                                                Rules rules);

  bool any() const { return !keys_.empty(); }

  // Until a key has verified the signature, only the token's header is read. The algorithm that it
  // names must be the key's. A token has at most 8 KiB.
  Result<Signed, Unfit> check(std::string_view token, uint64_t now_ms) const;

 private:
  struct Key;  // keeps OpenSSL out of this header

  static Result<Key, std::string> read_key(std::string_view contents);

  std::vector<std::shared_ptr<const Key>> keys_;
  Rules rules_{};
};

}  // namespace letterbox
