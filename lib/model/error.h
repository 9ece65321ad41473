// SPDX-License-Identifier: MIT
//
// Everything that a request can be refused for. The list is closed and part of the contract:
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
  bad_encoding,  // a percent escape or UTF-8 is wrong
  bad_json,      // not JSON
  bad_envelope,  // JSON of the wrong shape
  missing_to,
  missing_user,
  missing_body,
  repeated_parameter,
  too_many_recipients,
  bad_request,  // JSON of the wrong shape, of POST /tokens and POST /users/...
  no_identity,
  bad_token,  // forged, expired, revoked, or never handed out
  bad_key,
  kicked,
  locked,
  other_client,  // the token is for another client
  cross_site,    // a page of a site that is not named asks, in the name of whoever looks at it
  unknown_route,
  wrong_method,
  group_full,
  broken_data,  // something in Redis is not as it must be, and stays so until it is removed
  too_large,
  too_many_clients,
  too_fast,
  head_too_large,
  internal,
  store_unavailable,
  overloaded,
  not_ready,  // of /readyz: Redis takes no write, or the program is ending
  unhealthy,  // of /healthz: a worker hangs
};

struct CodeInfo {
  std::string_view name;
  int status;     // of HTTP
  bool terminal;  // trying the same again is pointless
};

const CodeInfo& info(Code code);

// Why a request is refused. The message is for a person: what was wrong, and what would be right.
struct Error {
  Code code;
  std::string message;
  int retry_after_ms = 0;

  bool operator==(const Error&) const = default;
};

template <class T>
using Or = Result<T, Error>;

// A user has as many clients as there may be. Spread, as all retries are.
Error too_many_clients();

// Redis is away, or did not answer. Spread as well.
Error store_unavailable(std::string_view why = "the message store can't be reached now");

// What stands in Redis can't be right. `what` names the key.
Error broken_data(std::string_view what);

// The error document of the contract, as a JSON value: without the line's end that an answer has.
// The message may hold any bytes.
std::string error_json(const Error& error);

}  // namespace letterbox
