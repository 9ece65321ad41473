// SPDX-License-Identifier: MIT
//
// What the user asked for.
#pragma once

#include <string>
#include <vector>

namespace letterbox::bench {

struct Options {
  std::vector<std::string> cases;   // empty: all
  std::vector<std::string> stacks;  // empty: all that are installed; the floor goes by its case
  unsigned rounds = 3;
  double seconds = 5;  // of each measured window
  double scale = 1;    // of how many clients and messages there are
  bool smoke = false;
  std::string json;  // files to write; empty: none
  std::string svg;

  /// A count of the cases' descriptions at this scale, never so small that it means nothing.
  unsigned count(unsigned full) const;
};

/// Prints help, or what is wrong, and ends the program where there is nothing to run.
Options read_options(int argc, char** argv);

}  // namespace letterbox::bench
