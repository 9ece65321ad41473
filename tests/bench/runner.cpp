// SPDX-License-Identifier: MIT
#include "runner.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>

#include "failure.h"
#include "metrics.h"
#include "share.h"
#include "text.h"

namespace letterbox::bench {
namespace {

bool holds(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool wanted(const Options& options, const Case& item, unsigned round) {
  if (item.rounds == Case::first && round > 1) return false;
  return holds(options.cases, item.name);
}

/// /// The stacks of a case; each round begins with another one, so that no stack always runs after
/// the heaviest.
std::vector<std::string> stacks_for(const Options& options, const Case& item, unsigned round) {
  std::vector<std::string> stacks;
  for (const std::string& name : item.stacks) {
    if (name == kFloor || holds(options.stacks, name)) stacks.push_back(name);
  }
  if (!stacks.empty()) {
    std::rotate(stacks.begin(),
                stacks.begin() + static_cast<std::ptrdiff_t>((round - 1) % stacks.size()),
                stacks.end());
  }
  return stacks;
}

/// /// Starts stacks for the runs. Every run has a fresh one, except in the smoke test, which is
/// not about figures: its runs share one of each kind and save the time.
class Starter {
 public:
  Starter(const Options& options, const Places& places) : options_(options), places_(places) {}

  Stack& start(const std::string& name) {
    if (!options_.smoke) stacks_.clear();  // first, so that no two are up at the same time
    std::unique_ptr<Stack>& stack = stacks_[name];
    if (!stack) {
      const std::string directory = places_.directory + '/' + std::to_string(++count_);
      stack = stack_kind(name).start(places_, directory);
      if (options_.redis_share > 0) limit_redis(*stack, options_.redis_share, directory + "/share");
    }
    return *stack;
  }
  void finish() {
    if (!options_.smoke) stacks_.clear();
  }

 private:
  const Options& options_;
  const Places& places_;
  std::map<std::string, std::unique_ptr<Stack>> stacks_;
  unsigned count_ = 0;
};

Sample run_one(const Options& options, Starter& starter, const Case& item,
               const std::string& stack_name) {
  Sample failed;
  try {
    Stack& stack = starter.start(stack_name);
    Dialect& dialect = item.listening == Case::by_streams ? stack.streams() : stack.dialect();
    Run run{options, stack, dialect, item.name, {}};
    try {
      item.run(run);
    } catch (const Failure& failure) {
      run.sample.values.clear();
      run.sample.trouble = failure.what();
    }
    starter.finish();
    return std::move(run.sample);
  } catch (const Failure& failure) {
    failed.trouble = failure.what();
    return failed;
  }
}

/// The case's figures, but not all of them: the first three that the table shows.
std::string summary(const Case& item, const Sample& sample) {
  std::string text;
  unsigned count = 0;
  for (const Metric& metric : shown_metrics()) {
    const auto value = sample.values.find(metric.key);
    if (metric.case_name != item.name || value == sample.values.end() || ++count > 3) continue;
    text += metric.title + ' ' + rounded(value->second) + "; ";
  }
  if (sample.values.empty()) return "failed: " + sample.trouble;
  if (sample.verdict.pushed > 0 || !sample.verdict.right()) text += sample.verdict.sentence();
  if (!sample.trouble.empty()) text += " (" + sample.trouble + ')';
  return text;
}

}  // namespace

std::vector<std::string> leave_out_missing(Options& options, const Places& places) {
  std::vector<std::string> reasons;
  std::erase_if(options.stacks, [&](const std::string& name) {
    const std::string reason = stack_kind(name).missing(places);
    if (!reason.empty()) reasons.push_back(name + ": " + reason);
    return !reason.empty();
  });
  return reasons;
}

Results run_all(const Options& options, const Places& places) {
  Results results;
  Starter starter(options, places);
  for (unsigned round = 1; round <= options.rounds; ++round) {
    for (const Case& item : all_cases()) {
      if (!wanted(options, item, round)) continue;
      for (const std::string& stack : stacks_for(options, item, round)) {
        std::fprintf(stderr, "round %u/%u  %-16s %-15s ", round, options.rounds, item.name.c_str(),
                     stack.c_str());
        Sample sample = run_one(options, starter, item, stack);
        std::fprintf(stderr, "%s\n", summary(item, sample).c_str());
        const auto wrong = static_cast<double>(sample.verdict.wrong());
        if (!sample.values.empty()) sample.values["wrong"] = wrong;
        results.add(item.name, stack, round, std::move(sample));
      }
    }
  }
  return results;
}

unsigned longest(const Options& options) {
  constexpr double kOverhead = 400;  // s; every wait in a case has a deadline of its own
  const auto runs = static_cast<double>(options.rounds) *
                    static_cast<double>(options.cases.size() * (options.stacks.size() + 1));
  return static_cast<unsigned>(runs * (3 * options.seconds + kOverhead));
}

}  // namespace letterbox::bench
