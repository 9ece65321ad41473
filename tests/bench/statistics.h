// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace letterbox::bench {

/// The middle one, or the mean of the two in the middle. 0 of none.
double median(std::vector<double> values);

/// The smallest value that `part` of all values don't exceed. 0 of none. Reorders them.
double percentile(std::vector<int64_t>& values, double part);

}  // namespace letterbox::bench
