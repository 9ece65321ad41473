// SPDX-License-Identifier: MIT
//
// Finds out whether all parts of a cluster take writes now, and says which trouble how many of them
// have: a node that is away is the trouble of all its parts. For /readyz. For one worker's thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mailbox/parted.h"
#include "mailbox/probe.h"

namespace letterbox {

class PartedProbe final : public Probe {
 public:
  explicit PartedProbe(std::vector<Probe*> parts) : parts_(std::move(parts)) {}

  void ask(Then then) override;

 private:
  const Parts<Probe> parts_;
};

// One trouble of all parts', by part; empty: none. Each trouble is there once, with the number of
// parts that have it: "3 of 128 parts: Redis is away: …; 1 of 128 parts: …".
std::string whole_trouble(const std::vector<std::string>& troubles);

}  // namespace letterbox
