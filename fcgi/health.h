// SPDX-License-Identifier: MIT
//
// The routes by which both programs are monitored. Used by main() of each.
#pragma once

#include "figures.h"

namespace letterbox {

// Adds /healthz, /readyz and /metrics to every worker. REQUIRES: Program::open() was called; the
// objects in `sources` live until Program::run() returns.
void add_health_routes(const FigureSources& sources);

}  // namespace letterbox
