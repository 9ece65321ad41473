// SPDX-License-Identifier: MIT
//
// The figures' names for people, and the order in which they are shown.
#pragma once

#include <string>
#include <vector>

namespace letterbox::bench {

struct Metric {
  std::string case_name;
  std::string key;
  std::string title;
};

/// /// The rows of the table. Figures by role ("cpu_us.nginx") come with their sum and have no
/// title here.
const std::vector<Metric>& shown_metrics();

}  // namespace letterbox::bench
