// SPDX-License-Identifier: MIT
//
// The public face of a program: polls, heartbeats, and the waiting room behind them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/config.h"
#include "base/result.h"
#include "handlers/origins.h"
#include "program.h"
#include "secret/signed_token.h"
#include "waiting/lanes.h"
#include "waiting/room.h"

namespace letterbox {

// What is read from files and may be wrong.
struct PollSettings {
  Origins origins;
  SignedTokens keys;
};
Result<PollSettings, std::string> poll_settings(const Config& config);

// A request has a body of its own only by mistake.
inline constexpr size_t kPollBodyMax = 4096;

class PollFace {
 public:
  // Between the program's open() and its run(): each worker's public front gets its routes.
  // `settings` outlive this.
  PollFace(Program& program, const PollSettings& settings);
  // REQUIRES: the program has run.
  ~PollFace();

  // Any thread: answers everybody.
  void close();

  const Room& room() const;
  const Lanes& lanes() const;

 private:
  class House;
  std::unique_ptr<House> house_;
};

}  // namespace letterbox
