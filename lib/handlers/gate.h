// SPDX-License-Identifier: MIT
//
// The way from a request to somebody who may come in: who asks (identity.h), and whether they may
// (mailbox/admission_cache.h). In the ordinary case nothing is asked of Redis. Pages of other sites
// may come in by an identity that the browser adds by itself only if their origin is named
// (origins.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/callback.h"
#include "base/clock.h"
#include "fastcgi/request.h"
#include "handlers/identity.h"
#include "handlers/origins.h"
#include "mailbox/access.h"
#include "mailbox/admission_cache.h"
#include "model/query.h"
#include "secret/signed_token.h"
#include "waiting/poll.h"
#include "waiting/review.h"

namespace letterbox {

class Gate {
 public:
  // One a worker; `desk` and `access` are that worker's. `open`: user= in the query is believed.
  Gate(Desk& desk, Access& access, AdmissionCache& cache, Review& review, const SignedTokens& keys,
       const Origins& origins, const Clock& clock, bool open);

  // Somebody at the gate.
  struct Caller {
    Shown shown;
    uint64_t heard = 0;      // the number of notices by then
    AdmissionPtr admission;  // null: Redis is to be asked
  };
  Or<Caller> look(const Request& request, const Query& query) const;
  // Calls back once, on this worker's thread, and mostly before it returns.
  using Then = Callback<void(const Or<AdmissionPtr>&)>;
  void admit(const Caller& caller, std::string_view address, Then then) const;

  // To be called once the poll of a user is in the room that was at the gate when so many notices
  // had been heard.
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

// client= in the query; empty: it is not there. Errors: bad_client, repeated_parameter.
Or<std::string> read_client(const Query& query);

// The client that somebody is who asks as `asked` (empty: unnamed, or not said): a token may be for
// one alone. Error: other_client.
Or<std::string> client_of(const Admission& admission, std::string_view asked);

}  // namespace letterbox
