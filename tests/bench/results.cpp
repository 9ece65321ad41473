// SPDX-License-Identifier: MIT
#include "results.h"

#include "statistics.h"

namespace letterbox::bench {
namespace {

std::optional<double> value_of(const Sample& sample, std::string_view key) {
  const auto found = sample.values.find(std::string(key));
  if (found == sample.values.end()) return std::nullopt;
  return found->second;
}

std::optional<double> median_of(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  return median(values);
}

}  // namespace

void Results::add(const std::string& case_name, const std::string& stack, unsigned round,
                  Sample sample) {
  all_[case_name][stack][round] = std::move(sample);
}

const Results::Samples& Results::samples(std::string_view case_name, std::string_view stack) const {
  static const Samples none;
  const auto by_stack = all_.find(case_name);
  if (by_stack == all_.end()) return none;
  const auto found = by_stack->second.find(stack);
  return found == by_stack->second.end() ? none : found->second;
}

std::optional<double> Results::median(const Figure& figure) const {
  std::vector<double> values;
  for (const auto& [round, sample] : samples(figure.case_name, figure.stack)) {
    if (const auto value = value_of(sample, figure.key)) values.push_back(*value);
  }
  return median_of(values);
}

std::optional<double> Results::ratio(const Figure& figure, const Figure& base) const {
  std::vector<double> ratios;
  const Samples& bases = samples(base.case_name, base.stack);
  for (const auto& [round, sample] : samples(figure.case_name, figure.stack)) {
    const auto other = bases.find(round);
    if (other == bases.end()) continue;
    const auto value = value_of(sample, figure.key);
    const auto divisor = value_of(other->second, base.key);
    if (value && divisor && *divisor > 0) ratios.push_back(*value / *divisor);
  }
  return median_of(ratios);
}

std::set<std::string> Results::keys(std::string_view case_name, std::string_view stack) const {
  std::set<std::string> keys;
  for (const auto& [round, sample] : samples(case_name, stack)) {
    for (const auto& [key, value] : sample.values) keys.insert(key);
  }
  return keys;
}

bool Results::ran(std::string_view case_name, std::string_view stack) const {
  return !samples(case_name, stack).empty();
}

Verdict Results::verdict(std::string_view case_name, std::string_view stack) const {
  Verdict sum;
  for (const auto& [round, sample] : samples(case_name, stack)) sum.add(sample.verdict);
  return sum;
}

bool Results::right(std::string_view stack) const {
  for (const auto& [name, by_stack] : all_) {
    for (const auto& [round, sample] : samples(name, stack)) {
      if (sample.values.empty() || !sample.verdict.right()) return false;
    }
  }
  return true;
}

}  // namespace letterbox::bench
