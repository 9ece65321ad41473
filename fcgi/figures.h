// SPDX-License-Identifier: MIT
//
// The one table of everything that /metrics tells.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mailbox/sweeper.h"
#include "program.h"
#include "waiting/lanes.h"
#include "waiting/room.h"

namespace letterbox {

// Where the table's figures are read. All of it must outlive what reads them.
struct FigureSources {
  Program& program;
  // Null without the public face.
  const Room* room = nullptr;
  const Lanes* lanes = nullptr;
  // Null without the private face.
  const Sweeper* sweeper = nullptr;
};

// The text for Prometheus. Any thread.
std::string metrics_text(const FigureSources& sources);
inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace letterbox
