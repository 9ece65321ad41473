// SPDX-License-Identifier: MIT
#include "base/metrics.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace letterbox {

namespace {

constexpr std::array<std::string_view, 3> kTypes{"counter", "gauge", "histogram"};

double seconds(uint64_t us) { return static_cast<double>(us) / 1e6; }

// Escapes what would end a line or a quoted value early.
void append_escaped(std::string& out, std::string_view text, bool quoted) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '\\' || (quoted && c == '"')) out += '\\';
      out += c;
    }
  }
}

}  // namespace

LatencyHistogram::Snapshot& LatencyHistogram::Snapshot::operator+=(const Snapshot& other) {
  for (size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  sum_us += other.sum_us;
  return *this;
}

void LatencyHistogram::observe(uint64_t us) {
  const auto bound =
      std::find_if(kBoundsUs.begin(), kBoundsUs.end(), [us](uint64_t most) { return us <= most; });
  counts_[static_cast<size_t>(bound - kBoundsUs.begin())].add();
  sum_us_.add(us);
}

LatencyHistogram::Snapshot LatencyHistogram::snapshot() const {
  Snapshot now;
  for (size_t i = 0; i < counts_.size(); ++i) now.counts[i] = counts_[i].value();
  now.sum_us = sum_us_.value();
  return now;
}

void MetricsText::begin(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  text_ += "# HELP " + name_ + ' ';
  append_escaped(text_, help, false);
  text_ += "\n# TYPE " + name_ + ' ';
  text_ += kTypes.at(static_cast<size_t>(type));
  text_ += '\n';
}

void MetricsText::sample(Labels labels, double value) { line("", labels, value); }

void MetricsText::histogram(const LatencyHistogram::Snapshot& snapshot) {
  uint64_t below = 0;
  for (size_t i = 0; i < snapshot.counts.size(); ++i) {
    below += snapshot.counts[i];
    const bool last = i == LatencyHistogram::kBoundsUs.size();
    const std::string bound = last ? "+Inf" : decimal(seconds(LatencyHistogram::kBoundsUs[i]));
    line("_bucket", {{"le", bound}}, static_cast<double>(below));
  }
  line("_sum", {}, seconds(snapshot.sum_us));
  line("_count", {}, static_cast<double>(below));
}

void MetricsText::line(std::string_view suffix, Labels labels, double value) {
  text_ += name_;
  text_ += suffix;
  char before = '{';
  for (const Label& label : labels) {
    text_ += std::exchange(before, ',');
    text_ += label.name;
    text_ += "=\"";
    append_escaped(text_, label.value, true);
    text_ += '"';
  }
  if (before != '{') text_ += '}';
  text_ += ' ' + decimal(value) + '\n';
}

std::string MetricsText::take() { return std::exchange(text_, {}); }

}  // namespace letterbox
