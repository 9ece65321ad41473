// SPDX-License-Identifier: MIT
#include <algorithm>
#include <optional>

#include "metrics.h"
#include "report.h"
#include "targets.h"
#include "text.h"

namespace letterbox::bench {
namespace {

constexpr size_t kTitleWidth = 38;
constexpr size_t kColumn = 20;

/// A figure of a stack; for a rival with Letterbox's ratio to it.
std::string cell(const Report& report, const Figure& figure) {
  const auto value = report.results.median(figure);
  if (!value) return padded_left("–", kColumn);
  std::string text = rounded(*value);
  if (figure.stack != kLetterbox) {
    const auto ratio = report.results.ratio({figure.case_name, kLetterbox, figure.key}, figure);
    if (ratio) text += " (" + rounded(*ratio) + " ×)";
  }
  return padded_left(text, kColumn);
}

/// One figure of all stacks; nothing if none of them has it.
std::string row(const Report& report, const std::string& case_name, const std::string& key,
                const std::string& title, const std::vector<std::string>& stacks) {
  std::string line = padded_right("  " + title, kTitleWidth);
  bool any = false;
  for (const std::string& stack : stacks) {
    const Figure figure{case_name, stack, key};
    any = any || report.results.median(figure);
    line += cell(report, figure);
  }
  return any ? line + '\n' : "";
}

/// The parts of a sum, role by role.
std::string role_rows(const Report& report, const Metric& metric,
                      const std::vector<std::string>& stacks) {
  std::string lines;
  for (const char* role : {"nginx", "poll", "push", "redis", "replica", "program"}) {
    lines += row(report, metric.case_name, metric.key + '.' + role, std::string("  of it ") + role,
                 stacks);
  }
  return lines;
}

std::string verdict_row(const Report& report, const std::string& case_name,
                        const std::vector<std::string>& stacks) {
  std::string lines;
  for (const std::string& stack : stacks) {
    const Verdict verdict = report.results.verdict(case_name, stack);
    if (verdict.pushed == 0 && verdict.right()) continue;
    lines += padded_right("  messages, " + stack, kTitleWidth) + "  " + verdict.sentence() + '\n';
  }
  return lines;
}

std::string trouble_rows(const Report& report, const std::string& case_name) {
  std::string lines;
  const auto by_stack = report.results.all().find(case_name);
  for (const auto& [stack, samples] : by_stack->second) {
    for (const auto& [round, sample] : samples) {
      if (sample.trouble.empty()) continue;
      lines += "  ! " + stack + ", round " + std::to_string(round) + ": " + sample.trouble + '\n';
    }
  }
  return lines;
}

std::string target_rows(const std::vector<Target>& targets, const std::string& case_name) {
  std::string lines;
  for (const Target& target : targets) {
    if (target.case_name != case_name || !target.value) continue;
    lines += std::string("  ") + (target.met ? "✓ met      " : "✗ not met  ") + target.text + ": " +
             rounded(*target.value) + ", " + target.limit + '\n';
  }
  return lines;
}

std::string section(const Report& report, const Case& item, const std::vector<Target>& targets) {
  std::vector<std::string> stacks;
  for (const StackKind& kind : all_stacks()) {
    if (report.results.ran(item.name, kind.name)) stacks.emplace_back(kind.name);
  }
  if (stacks.empty()) return {};
  std::string text = '\n' + item.name + " · " + item.title + '\n' + std::string(kTitleWidth, ' ');
  for (const std::string& stack : stacks) text += padded_left(stack, kColumn);
  text += '\n';
  for (const Metric& metric : shown_metrics()) {
    if (metric.case_name != item.name) continue;
    text += row(report, item.name, metric.key, metric.title, stacks);
    text += role_rows(report, metric, stacks);
  }
  return text + verdict_row(report, item.name, stacks) + trouble_rows(report, item.name) +
         target_rows(targets, item.name);
}

}  // namespace

std::string how_measured(const Options& options) {
  std::string text = options.rounds == 1
                         ? "one round"
                         : "medians of " + std::to_string(options.rounds) + " rounds";
  text += ", windows of " + grouped(options.seconds, options.seconds < 1 ? 1 : 0) + " s";
  if (options.scale != 1) text += ", counts × " + rounded(options.scale);
  return text;
}

std::string as_verdicts(const Report& report) {
  std::string text;
  for (const Case& item : all_cases()) {
    std::string lines;
    for (const std::string& stack : report.options.stacks) {
      if (!report.results.ran(item.name, stack)) continue;
      const bool ended = !report.results.keys(item.name, stack).empty();
      lines += padded_right(item.name, 17) + padded_right(stack, 20) +
               (ended ? report.results.verdict(item.name, stack).sentence() : "did not run") + '\n';
    }
    if (!lines.empty()) text += lines + trouble_rows(report, item.name);
  }
  return text;
}

std::string as_table(const Report& report) {
  const Options& options = report.options;
  std::string text;
  for (const auto& [name, value] : report.machine) {
    text.append(text.empty() ? "" : ", ").append(name).append(" ").append(value);
  }
  text += '\n' + how_measured(options) + "; in brackets Letterbox ÷ that rival\n";
  for (const std::string& reason : report.missing) text += "not measured: " + reason + '\n';
  const std::vector<Target> targets = judge(report.results);
  for (const Case& item : all_cases()) text += section(report, item, targets);
  return text;
}

}  // namespace letterbox::bench
