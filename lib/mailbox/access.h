// SPDX-License-Identifier: MIT
//
// Who may come in: the tokens that were handed out, who is locked out or was kicked, and the
// notices by which every program hears of a change. An interface, so that its users are tested
// without Redis; RedisAccess is the real one.
//
// It belongs to one worker. Callbacks come on its thread, once each, possibly before the call
// returns. Code::store_unavailable: nobody knows then whether it was carried out.
// Code::broken_data: it was not, and will not be before somebody removes what stands in the place
// of tokens or standing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/error.h"

namespace letterbox {

// Who somebody says to be, and by what. Times are wall clock, ms since 1970.
struct Claim {
  enum class Proof {
    vouched,  // nginx says so, or --open lets anyone say it
    token,    // one of those that were handed out here; only Redis knows whether it is good
    signed_,  // one that somebody else has signed; its signature was found good
  };

  Proof proof = Proof::vouched;
  std::string user = {};
  std::string hash = {};                   // of the token, SHA-256 as hex digits
  std::optional<uint64_t> issued_ms = {};  // of a signed one, where it says so
  uint64_t expires_ms = 0;                 // of a signed one

  // Tells claims apart, those by token by the token alone: no name has a blank in it.
  std::string key() const { return proof == Proof::vouched ? " " + user : hash; }
};

// Somebody who may come in.
struct Admission {
  Claim claim;
  std::string client = {};  // the only one that the token is for; empty: any
  std::string data = {};    // what the back end attached to the token: JSON, or empty
  uint64_t expires_ms = 0;  // when it ends; 0: not by itself
};

// A token as it is listed: all of it but the secret.
struct Token {
  std::string id;  // USER.SIXTEEN_HEX_DIGITS
  uint64_t created_ms = 0;
  uint64_t expires_ms = 0;
  uint64_t used_ms = 0;  // to the minute; 0: never
  std::string client;
  std::string address;  // it was used from last
  std::string data;     // JSON, or empty
};

// How a user stands.
struct Standing {
  struct Lock {
    uint64_t since_ms = 0;
    std::string reason;
  };
  struct Kick {
    uint64_t at_ms = 0;
    uint64_t until_ms = 0;  // whoever is vouched for is refused as long
    std::string reason;
  };
  std::optional<Lock> locked;
  std::optional<Kick> kicked;
  std::optional<uint64_t> revoked_ms;  // signed tokens of before are no good
};

class Access {
 public:
  template <class T>
  using Then = std::function<void(Or<T>)>;

  virtual ~Access() = default;

  // Whether somebody may come in. Notes the use of a token. Errors: bad_token, kicked, locked.
  virtual void admit(const Claim& claim, std::string_view address, Then<Admission> then) = 0;

  // Keeps a new token by its hash; of more than `most` the oldest is revoked. REQUIRES: no blanks
  // in the id; data is JSON or empty.
  virtual void issue(std::string_view user, std::string_view hash, const Token& token, size_t most,
                     Then<bool> then) = 0;
  virtual void tokens(std::string_view user, Then<std::vector<Token>> then) = 0;
  // Takes back the one of that id, or all where it is empty; how many.
  virtual void revoke(std::string_view user, std::string_view id, Then<uint64_t> then) = 0;

  virtual void standing(std::string_view user, Then<Standing> then) = 0;
  // Reasons are well-formed UTF-8, shown to whoever is refused.
  virtual void lock(std::string_view user, std::string_view reason, Then<bool> then) = 0;
  // False: was not locked.
  virtual void unlock(std::string_view user, Then<bool> then) = 0;
  virtual void kick(std::string_view user, std::string_view reason, uint64_t for_ms,
                    Then<bool> then) = 0;
};

// Somebody may not come in: so it was found. That Redis is away says nothing.
template <class T>
bool turned_away(const Or<T>& answer) {
  return !answer && answer.error().code != Code::store_unavailable;
}

// Forged, expired, revoked, or never handed out: which, nobody is told.
Error bad_token();

// What follows from how a user stands, and (where a token of ours was shown) from its record.
// Errors: bad_token, kicked, locked. A pure function.
Or<Admission> judge(const Claim& claim, const Standing& standing, const std::optional<Token>& token,
                    uint64_t now_ms);

}  // namespace letterbox
