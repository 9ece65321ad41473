// SPDX-License-Identifier: MIT
//
// Answers as HTTP: an error's status, headers and document.
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

// Takes an outcome, once, and answers: with an error as it is, else by `status` and the JSON that
// `tell` makes of the value. (Stores take copyable callbacks, and an answer can't be copied.)
template <class Tell>
auto answering(Answer answer, Tell tell, int status = 200) {
  return [owed = std::make_shared<Answer>(std::move(answer)), tell = std::move(tell),
          status](const auto& outcome) {
    owed->send(outcome ? Response{status, tell(*outcome)} : to_response(outcome.error()));
  };
}

// `Retry-After` in whole seconds, rounded up, as a header line.
std::string retry_after(int ms);

// A name that none can be.
Error bad_user();
Error bad_client();
Error bad_group();

}  // namespace letterbox
