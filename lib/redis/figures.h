// SPDX-License-Identifier: MIT
//
// What connections to Redis count. Those of one kind, on one loop, share one of these.
#pragma once

#include "base/metrics.h"

namespace letterbox {

struct RedisFigures {
  Gauge connections;  // that are logged in
  Counter reconnects;
  Counter failures;  // attempts that did not come to a login
};

}  // namespace letterbox
