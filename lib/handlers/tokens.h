// SPDX-License-Identifier: MIT
//
// POST, GET and DELETE /tokens: a back end issues tokens to its users, lists them and revokes them.
// fcgi/PROTOCOL.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/limits.h"
#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "mailbox/access.h"
#include "model/query.h"

namespace letterbox {

struct TokenRules {
  uint64_t life_ms = kTokenLifeMs;  // of a token, if the request has no "ttl"
  size_t most = kUserTokens;        // tokens of one user
};

class TokenHandler {
 public:
  // One a worker. `access` is that worker's.
  TokenHandler(Access& access, const Clock& clock, const TokenRules& rules);

  void issue(const Request& request, Answer answer) const;
  void list(const Query& query, Answer answer) const;
  void revoke(const Query& query, Answer answer) const;

 private:
  Access& access_;
  const Clock& clock_;
  const TokenRules rules_;
};

}  // namespace letterbox
