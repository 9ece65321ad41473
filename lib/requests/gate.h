// SPDX-License-Identifier: MIT
//
// The way from a request to an admission.
//
// The gate finds out which user asks (identity.h), and whether that user may come in
// (mailbox/admission_cache.h). Ordinarily this takes no request to Redis. A page of another site
// may use an identity that the browser adds by itself only if its origin is named (origins.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/callback.h"
#include "base/clock.h"
#include "fastcgi/request.h"
#include "mailbox/access.h"
#include "mailbox/admission_cache.h"
#include "model/query.h"
#include "requests/identity.h"
#include "requests/origins.h"
#include "secret/signed_token.h"
#include "waiting/poll.h"
#include "waiting/review.h"

namespace letterbox {

class Gate {
 public:
  // One a worker. `desk` and `access` are that worker's. `open`: the gate believes user= in the
  // query.
  Gate(Desk& desk, Access& access, AdmissionCache& cache, Review& review, const SignedTokens& keys,
       const Origins& origins, const Clock& clock, bool open);

  // A request at the gate.
  struct Caller {
    Shown shown;
    uint64_t heard = 0;      // the number of notices when it came
    AdmissionPtr admission;  // the remembered one; null: ask Redis
    bool prolongs = false;   // Redis is asked although one is remembered: the token slides
  };
  Or<Caller> look(const Request& request, const Query& query) const;
  // `then` is called once, on this worker's thread, mostly before admit() returns.
  using Then = AdmissionCache::Then;
  void admit(const Caller& caller, std::string_view address, Then then) const;

  // Call this when a user's poll is in the room. `heard` is Caller::heard of the poll's request.
  void entered(uint64_t heard, const std::string& user) const;

 private:
  Desk& desk_;
  Access& access_;
  AdmissionCache& cache_;
  Review& review_;
  const SignedTokens& keys_;
  const Origins& origins_;
  const Clock& clock_;
  const bool open_;
};

// client= in the query; empty if it is not given. Errors: bad_client, repeated_parameter.
Or<std::string> read_client(const Query& query);

// The client of a request that names `asked`. `asked` is empty if the request names no client. A
// token may be for one client only: then the result is that client. Error: other_client.
Or<std::string> client_of(const Admission& admission, std::string_view asked);

}  // namespace letterbox
