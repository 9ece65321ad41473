// SPDX-License-Identifier: MIT
//
// Turns outcomes into HTTP answers; an error becomes a status, headers and a document.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "fastcgi/answer.h"
#include "model/error.h"

namespace letterbox {

Response to_response(const Error& error);

inline void refuse(Answer& answer, const Error& error) { answer.send(to_response(error)); }

// Returns a callback for one outcome. An error is the answer as it is. A value is answered with
// `status` and the JSON that `tell` makes of the value.
template <class Tell>
auto answering(Answer answer, Tell tell, int status = 200) {
  return [owed = std::move(answer), tell = std::move(tell), status](const auto& outcome) mutable {
    owed.send(outcome ? Response{status, tell(*outcome)} : to_response(outcome.error()));
  };
}

// The header line of an answer that repeats the one before: nothing was done again.
inline constexpr std::string_view kReplayed = "Idempotency-Replayed: true\r\n";

// `Retry-After` in whole seconds, rounded up, as a header line.
std::string retry_after(int ms);

// The error for a name that no user, client or group can have.
Error bad_user();
Error bad_client();
Error bad_group();

Error body_too_large();

}  // namespace letterbox
