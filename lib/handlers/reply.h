// SPDX-License-Identifier: MIT
//
// Answers as HTTP: an error's status, headers and document.
#pragma once

#include <string>
#include <string_view>

#include "fastcgi/answer.h"
#include "model/error.h"

namespace letterbox {

Response to_response(const Error& error);

// `Retry-After` in whole seconds, as a header line.
std::string retry_after(int ms);

// A name that none can be.
Error bad_user();
Error bad_client();
Error bad_group();

}  // namespace letterbox
