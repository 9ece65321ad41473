// SPDX-License-Identifier: MIT
//
// The command line's options.
#pragma once

#include <string>
#include <vector>

namespace letterbox::bench {

struct Options {
  std::vector<std::string> cases;   // empty: all
  std::vector<std::string> stacks;  // empty: all that are installed; the floor goes by its case
  unsigned rounds = 3;
  double seconds = 5;      // of each measured window
  double scale = 1;        // factor of the numbers of clients and messages
  double redis_share = 0;  // of a core, that each Redis process may have; 0: all it can get
  bool smoke = false;
  std::string json;  // files to write; empty: none
  std::string svg;

  /// A count of the cases' descriptions at this scale, never too small to mean anything.
  unsigned count(unsigned full) const;
};

/// Prints help, or the error, and ends the program if there is nothing to run.
Options read_options(int argc, char** argv);

}  // namespace letterbox::bench
