// SPDX-License-Identifier: MIT
//
// What a reply of Redis that is no success means for who asked: come back later, or not before
// somebody has removed what stands wrongly in Redis. For the stores of this folder; pure.
#pragma once

#include <string_view>

#include "model/error.h"
#include "redis/reply.h"

namespace letterbox {

// Of a reply that is an error, none at all, or of the wrong shape. `key`: the only one that a plain
// command was about. The scripts name keys themselves.
Error failure_of(const Reply& reply, std::string_view key = {});

}  // namespace letterbox
