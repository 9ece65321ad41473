// SPDX-License-Identifier: MIT
//
// The cases that are measured. A case is run against one stack at a time, freshly started, and
// fills in a sample.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ledger.h"
#include "options.h"
#include "stack.h"

namespace letterbox::bench {

/// Figures by name, as metrics.h lists them.
using Values = std::map<std::string, double>;

struct Sample {
  Values values;
  Verdict verdict;
  std::string trouble;  // why there are no values, or an example of what was refused
};

/// One run of a case.
struct Run {
  const Options& options;
  Stack& stack;
  Dialect& dialect;    // of its clients
  std::string prefix;  // of its users; no other run against this stack has it
  Sample sample;
};

struct Case {
  enum Rounds { every, first };  // first: for cases that take long and have steady figures
  std::string name;
  std::string title;
  std::vector<std::string> stacks;  // those that can run it
  Rounds rounds;
  void (*run)(Run& run);
  enum Listening { by_polls, by_streams } listening = by_polls;
};

const std::vector<Case>& all_cases();

// Each is in the file of its name.
void run_closed(Run& run);
void run_flood(Run& run);
void run_paced(Run& run);
void run_crowd(Run& run);
void run_packed(Run& run);
void run_growth(Run& run);
void run_connect(Run& run);
void run_idle(Run& run);
void run_churn(Run& run);
void run_rest(Run& run);
void run_stream_idle(Run& run);
void run_burst(Run& run);
void run_broadcast(Run& run);
void run_outage(Run& run);
void run_floor(Run& run);

}  // namespace letterbox::bench
