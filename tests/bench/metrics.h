// SPDX-License-Identifier: MIT
//
// How figures are named for people, and in which order they are shown.
#pragma once

#include <string>
#include <vector>

namespace letterbox::bench {

struct Metric {
  std::string case_name;
  std::string key;
  std::string title;
};

/// What the table shows. Figures by role ("cpu_us.nginx") come with their sum and have no title
/// here.
const std::vector<Metric>& shown_metrics();

}  // namespace letterbox::bench
