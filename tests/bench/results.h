// SPDX-License-Identifier: MIT
//
// Everything that was measured, and the figures that come out of it.
//
// A ratio is taken within each round, where the two ran one after the other, and then the median of
// these: what the machine did to a whole round falls out.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cases.h"

namespace letterbox::bench {

/// Which figure: of what case, what stack, by what name.
struct Figure {
  std::string_view case_name;
  std::string_view stack;
  std::string_view key;
};

class Results {
 public:
  void add(const std::string& case_name, const std::string& stack, unsigned round, Sample sample);

  /// Nothing where it was not measured.
  std::optional<double> median(const Figure& figure) const;
  std::optional<double> ratio(const Figure& figure, const Figure& base) const;

  /// What its runs have measured; nothing where they all failed.
  std::set<std::string> keys(std::string_view case_name, std::string_view stack) const;
  /// It was tried, at least.
  bool ran(std::string_view case_name, std::string_view stack) const;
  Verdict verdict(std::string_view case_name, std::string_view stack) const;
  /// True: every run came to its end, and every message was right.
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
