// SPDX-License-Identifier: MIT
//
// The public face of a program: polls, streams, heartbeats, and the waiting room behind them. Made
// by main() of letterbox-poll, on the main thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/config.h"
#include "base/result.h"
#include "program.h"
#include "requests/origins.h"
#include "secret/signed_token.h"
#include "waiting/parted_lanes.h"
#include "waiting/room.h"

namespace letterbox {

// The settings that are read from files and may be wrong.
struct PollSettings {
  Origins origins;
  SignedTokens keys;
};
Result<PollSettings, std::string> poll_settings(const Config& config);

class PollFace {
 public:
  // Gives each worker's public front its routes. REQUIRES: the program is open and does not run
  // yet; `settings` outlive this object.
  PollFace(Program& program, const PollSettings& settings);
  // REQUIRES: Program::run() has returned.
  ~PollFace();

  // Any thread: answers all polls and ends all streams.
  void close();

  const Room& room() const;
  const PartedLanes& lanes() const;

 private:
  class House;
  std::unique_ptr<House> house_;
};

}  // namespace letterbox
