// SPDX-License-Identifier: MIT
//
// /metrics: the one table of all metrics of both programs. Used by health.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mailbox/scheduler.h"
#include "mailbox/sweeper.h"
#include "program.h"
#include "requests/push_guard.h"
#include "waiting/parted_lanes.h"
#include "waiting/room.h"
#include "webhook.h"

namespace letterbox {

// The objects that the figures are read from. REQUIRES: they outlive every call of metrics_text().
struct FigureSources {
  Program& program;
  // Null without the public face.
  const Room* room = nullptr;
  const PartedLanes* lanes = nullptr;
  // Null without the private face.
  const Sweeper* sweeper = nullptr;
  const PushGuard* guard = nullptr;
  const Scheduler* scheduler = nullptr;
  const Webhook::Figures* webhook = nullptr;
};

// The text that Prometheus reads. Any thread.
std::string metrics_text(const FigureSources& sources);
inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace letterbox
