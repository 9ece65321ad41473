// SPDX-License-Identifier: MIT
//
// Turns a failed reply of Redis into an error for the caller: store_unavailable (try again later)
// or broken_data (fails until the wrong value in Redis is removed). For the stores of this folder;
// pure.
#pragma once

#include <string_view>

#include "model/error.h"
#include "redis/reply.h"

namespace letterbox {

// The error for a reply that is an error, is missing, or has the wrong shape. `key`: the key of a
// plain command, if it has only one. (Errors of the scripts name the key themselves.)
Error failure_of(const Reply& reply, std::string_view key = {});

}  // namespace letterbox
