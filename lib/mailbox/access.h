// SPDX-License-Identifier: MIT
//
// Access: the tokens that were issued, which users are locked or kicked, and the notices by which
// every program hears of a change. An interface, so that its users are tested without Redis;
// RedisAccess is the real one.
//
// An Access belongs to one worker. Callbacks come on that worker's thread, once each, possibly
// before the call returns. After Code::store_unavailable it is unknown whether the call was carried
// out. After Code::broken_data it was not; a retry fails too, until the wrong value in the place of
// tokens or standing is removed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "model/error.h"

namespace letterbox {

// Which user a request says it comes from, and the proof of that. Times are wall clock, ms since
// 1970.
struct Claim {
  enum class Proof {
    vouched,  // nginx names the user, or --open lets the client name it
    token,    // a token that was issued here; only Redis knows whether it is good
    signed_,  // a token that the back end signed (a JWT); its signature is good
  };

  Proof proof = Proof::vouched;
  std::string user = {};
  std::string hash = {};                   // of the token, SHA-256 as hex digits
  std::optional<uint64_t> issued_ms = {};  // of a signed token, if it tells
  uint64_t expires_ms = 0;                 // of a signed token

  // Different for different claims. A claim by token is known by its token alone. (The blank keeps
  // names and hashes apart: neither contains one.)
  std::string key() const { return proof == Proof::vouched ? " " + user : hash; }
};

// A claim that was found good.
struct Admission {
  Claim claim;
  std::string client = {};  // the only client that may use the token; empty: any client
  std::string data = {};    // what the back end attached to the token: JSON, or empty
  uint64_t expires_ms = 0;  // when the admission ends; 0: not by itself
  uint64_t slide_ms = 0;    // of a sliding token, as Token::slide_ms
};

// A token as GET /tokens lists it: everything but the secret.
struct Token {
  std::string id;  // USER.SIXTEEN_HEX_DIGITS
  uint64_t created_ms = 0;
  uint64_t expires_ms = 0;
  uint64_t slide_ms = 0;  // each use prolongs the token to this from now; 0: none does
  uint64_t used_ms = 0;   // to the minute; 0: never
  std::string client;
  std::string address;  // the last one that the token was used from
  std::string data;     // JSON, or empty
};

// Whether a user is locked, kicked, or has had signed tokens revoked.
struct Standing {
  struct Lock {
    uint64_t since_ms = 0;
    std::string reason;
  };
  struct Kick {
    uint64_t at_ms = 0;
    uint64_t until_ms = 0;  // until then a user that nginx vouches for is refused too
    std::string reason;
  };
  std::optional<Lock> locked;
  std::optional<Kick> kicked;
  std::optional<uint64_t> revoked_ms;  // signed tokens issued up to then are no good
};

class Access {
 public:
  template <class T>
  using Then = Callback<void(Or<T>)>;

  virtual ~Access() = default;

  // Whether a claim is admitted. Notes the use of a token, which prolongs a sliding one. Errors:
  // bad_token, kicked, locked.
  virtual void admit(const Claim& claim, std::string_view address, Then<Admission> then) = 0;

  // Keeps a new token by its hash. If the user has more than `most` tokens, the oldest is revoked.
  // REQUIRES: no blanks in the id; data is JSON or empty.
  virtual void issue(std::string_view user, std::string_view hash, const Token& token, size_t most,
                     Then<bool> then) = 0;
  virtual void tokens(std::string_view user, Then<std::vector<Token>> then) = 0;
  // Revokes the token with that id, or all of the user's if `id` is empty. `then` gets how many.
  virtual void revoke(std::string_view user, std::string_view id, Then<uint64_t> then) = 0;

  virtual void standing(std::string_view user, Then<Standing> then) = 0;
  // Whether Redis holds a standing for any of these users. Costs next to nothing for hundreds of
  // users; for very many it would block Redis.
  virtual void any_stands(std::span<const std::string> users, Then<bool> then) = 0;
  // A reason is well-formed UTF-8; a refused client is shown it.
  virtual void lock(std::string_view user, std::string_view reason, Then<bool> then) = 0;
  // False: the user was not locked.
  virtual void unlock(std::string_view user, Then<bool> then) = 0;
  virtual void kick(std::string_view user, std::string_view reason, uint64_t for_ms,
                    Then<bool> then) = 0;
};

// True if a claim was found bad. (If Redis is away, nothing was found.)
template <class T>
bool turned_away(const Or<T>& answer) {
  return !answer && answer.error().code != Code::store_unavailable;
}

// The token is forged, expired, revoked, or was never issued. The client is not told which.
Error bad_token();

// The decision about a claim, from the user's standing and, for a token issued here, from its
// record. Errors: bad_token, kicked, locked. A pure function.
Or<Admission> judge(const Claim& claim, const Standing& standing, const std::optional<Token>& token,
                    uint64_t now_ms);

}  // namespace letterbox
