// SPDX-License-Identifier: MIT
//
// Everything that was measured, and the figures derived from it.
//
// A ratio is taken within each round, in which the two ran one after the other, and then the median
// of these: so disturbances of a whole round cancel out.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cases.h"

namespace letterbox::bench {

/// A figure: its case, its stack and its name.
struct Figure {
  std::string_view case_name;
  std::string_view stack;
  std::string_view key;
};

class Results {
 public:
  void add(const std::string& case_name, const std::string& stack, unsigned round, Sample sample);

  /// Nothing if it was not measured.
  std::optional<double> median(const Figure& figure) const;
  std::optional<double> ratio(const Figure& figure, const Figure& base) const;

  /// The values of its runs; nothing if they all failed.
  std::set<std::string> keys(std::string_view case_name, std::string_view stack) const;
  /// Whether it was tried.
  bool ran(std::string_view case_name, std::string_view stack) const;
  Verdict verdict(std::string_view case_name, std::string_view stack) const;
  /// Whether every run came to its end, and every message was right.
  bool right(std::string_view stack) const;

  /// By case, stack, round.
  using Samples = std::map<unsigned, Sample>;
  using ByStack = std::map<std::string, Samples, std::less<>>;
  const std::map<std::string, ByStack, std::less<>>& all() const { return all_; }

 private:
  const Samples& samples(std::string_view case_name, std::string_view stack) const;

  std::map<std::string, ByStack, std::less<>> all_;
};

}  // namespace letterbox::bench
