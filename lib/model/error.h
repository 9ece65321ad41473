// SPDX-License-Identifier: MIT
//
// Every reason for which a request can be refused. The list is closed and part of the contract:
// clients tell errors apart by these names, never by the message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace letterbox {

enum class Code : uint8_t {
  bad_user,
  bad_client,
  bad_group,
  bad_timeout,
  bad_limit,
  bad_type,
  bad_ttl,
  bad_collapse,
  bad_idempotency_key,
  bad_time,
  bad_encoding,  // a percent escape or UTF-8 is wrong
  bad_json,      // not JSON
  bad_envelope,  // JSON of the wrong shape
  missing_to,
  missing_user,
  missing_body,
  repeated_parameter,
  too_many_recipients,
  bad_request,  // JSON of the wrong shape, in POST /tokens and POST /users/...
  no_identity,
  bad_token,  // forged, expired, revoked, or never issued
  bad_key,
  kicked,
  locked,
  other_client,  // the token is for another client
  cross_site,    // a page of a site that is not allowed asks, in the name of its visitor
  forwarded,     // a proxy has forwarded it, and without a key nobody knows from where
  wrong_scope,   // the key is good, but not for this
  unknown_route,
  wrong_method,
  group_full,
  key_reused,  // an Idempotency-Key, with other content
  schedule_full,
  broken_data,  // a key in Redis holds wrong data, and does so until it is removed
  too_large,
  too_many_clients,
  too_fast,
  head_too_large,
  internal,
  store_unavailable,
  overloaded,
  not_ready,  // from /readyz: Redis takes no write, or the program is ending
  unhealthy,  // from /healthz: a worker hangs
};

struct CodeInfo {
  std::string_view name;
  int status;     // HTTP status
  bool terminal;  // trying the same again is pointless
};

const CodeInfo& info(Code code);

// Why a request is refused. The message is for a person: it says what was wrong, and what would be
// right.
struct Error {
  Code code;
  std::string message;
  int retry_after_ms = 0;

  bool operator==(const Error&) const = default;
};

template <class T>
using Or = Result<T, Error>;

// The user has the most clients allowed. The time to retry is spread, as for all retries.
Error too_many_clients();

// Redis is away, or did not answer. The time to retry is spread as well.
Error store_unavailable(std::string_view why = "the message store can't be reached now");

// The errors for what can't be such a key: model/names.h.
Error bad_collapse();
Error bad_idempotency_key();

// A key in Redis holds data that can't be right. `what` names the key.
Error broken_data(std::string_view what);

// The error document of the contract, as a JSON value: without the line end that an answer has. The
// message may hold any bytes.
std::string error_json(const Error& error);

}  // namespace letterbox
