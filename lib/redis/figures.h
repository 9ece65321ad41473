// SPDX-License-Identifier: MIT
//
// What connections to Redis count. Connections of one kind on one loop share one RedisFigures.
#pragma once

#include "base/metrics.h"

namespace letterbox {

struct RedisFigures {
  Gauge connections;  // connections that are logged in
  Counter reconnects;
  Counter failures;  // attempts that did not end in a login
};

}  // namespace letterbox
