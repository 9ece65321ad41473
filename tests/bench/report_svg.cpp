// SPDX-License-Identifier: MIT
#include <algorithm>
#include <optional>

#include "report.h"
#include "text.h"

namespace letterbox::bench {
namespace {

struct Panel {
  const char* case_name;
  const char* key;
  const char* title;
  const char* unit;
  bool more_is_better;
  bool with_floor;
};

constexpr Panel kPanels[] = {
    {"closed", "rate", "Messages a second, at full speed", "", true, false},
    {"closed", "cpu_us", "CPU a message, at full speed", " µs", false, true},
    {"paced", "p50_us", "Push to poll, 2,000 a second: median", " µs", false, false},
    {"paced", "p99_us", "Push to poll, 2,000 a second: 99th percentile", " µs", false, false},
    {"crowd", "p50_us", "Push to poll, 10,000 clients: median", " µs", false, false},
    {"crowd", "p99_us", "Push to poll, 10,000 clients: 99th percentile", " µs", false, false},
    {"idle", "poll_kb", "Memory of a parked poll, all processes", " KB", false, false},
    {"burst", "pushed_rate", "Messages a second, pushed to users who are away", "", true, false},
    {"broadcast", "last_ms", "One message to 10,000: until the last has it", " ms", false, false},
    {"broadcast", "cpu_us", "One message to 10,000: CPU for each", " µs", false, false},
};

struct Series {
  const char* stack;
  const char* label;
  const char* style;  // of its bar
};

constexpr Series kSeries[] = {
    {kLetterbox, "Letterbox", "own"},
    {kNchanRedis, "nchan + Redis", "rival"},
    {kNchanMemory, "nchan, memory only", "other"},
};

// All in pixels of an 860 wide picture.
constexpr int kWidth = 860;
constexpr int kMargin = 28;
constexpr int kTop = 98;
constexpr int kPanelWidth = 390;
constexpr int kColumnStep = kPanelWidth + 24;
constexpr int kLabelWidth = 126;
constexpr int kBarRoom = 150;  // the longest bar; its value stands behind it
constexpr int kBarHeight = 14;
constexpr int kBarStep = 22;
constexpr int kPanelHeight = 130;

constexpr const char* kTitle = "Letterbox beside nchan, in one run on one machine";

constexpr const char* kStyle =
    "<style>\n"
    "svg{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}\n"
    ".paper{fill:#fff;stroke:#d8dee6}.ink{fill:#1c2430}.faint{fill:#667085}\n"
    ".own{fill:#2563eb}.rival{fill:#98a2b3}.other{fill:#d0d5dd}.floor{stroke:#b42318}\n"
    ".floor-ink{fill:#b42318}.head{font-size:19px;font-weight:600}.title{font-weight:600}\n"
    ".small{font-size:11.5px}\n"
    "@media (prefers-color-scheme:dark){\n"
    ".paper{fill:#0f151d;stroke:#2b3542}.ink{fill:#e6eaf0}.faint{fill:#98a3b3}\n"
    ".own{fill:#60a5fa}.rival{fill:#667488}.other{fill:#3d4857}.floor{stroke:#f97066}\n"
    ".floor-ink{fill:#f97066}}\n"
    "</style>\n";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string attribute(const char* name, std::string_view value) {
  return std::string(" ") + name + "='" + std::string(value) + '\'';
}

std::string attribute(const char* name, double pixels) { return attribute(name, fixed(pixels, 1)); }

std::string text_at(double x, double y, const char* style, std::string_view text,
                    const char* anchor = "start", const std::string& more = {}) {
  return "<text" + attribute("x", x) + attribute("y", y) + attribute("class", style) +
         attribute("text-anchor", anchor) + '>' + escaped(text) + more + "</text>\n";
}

/// "2.3 ×": how Letterbox compares with nchan and Redis; empty for the others.
std::string comparison(const Report& report, const Panel& panel, std::string_view stack) {
  if (stack != kLetterbox) return {};
  const auto ratio = report.results.ratio({panel.case_name, kLetterbox, panel.key},
                                          {panel.case_name, kNchanRedis, panel.key});
  return ratio ? rounded(*ratio) + " ×" : "";
}

std::string bar(const Report& report, const Panel& panel, const Series& series, double value,
                double scale, int x, int y) {
  const double length = std::max(1.0, value * scale);
  const int baseline = y + kBarHeight - 3;
  const std::string ratio = comparison(report, panel, series.stack);
  const std::string remark =
      ratio.empty()
          ? ""
          : "<tspan" + attribute("dx", 8) + attribute("class", "faint") + '>' + ratio + "</tspan>";
  return text_at(x + kLabelWidth - 8, baseline, "ink small", series.label, "end") + "<rect" +
         attribute("x", x + kLabelWidth) + attribute("y", y) + attribute("width", length) +
         attribute("height", kBarHeight) + attribute("rx", 2) + attribute("class", series.style) +
         "/>\n" +
         text_at(x + kLabelWidth + length + 6, baseline, "ink small", rounded(value) + panel.unit,
                 "start", remark);
}

/// The line below which no such design goes.
std::string floor_line(const Report& report, double scale, int x, int y, int bars) {
  const auto floor = report.results.median({"floor", kFloor, "floor_us"});
  if (!floor) return {};
  const double at = x + kLabelWidth + *floor * scale;
  const int bottom = y + bars * kBarStep;
  const std::string label = "floor of nginx + libfcgi + Redis: " + rounded(*floor) + " µs";
  return "<line" + attribute("x1", at) + attribute("x2", at) + attribute("y1", y - 4) +
         attribute("y2", bottom) + attribute("class", "floor") +
         attribute("stroke-dasharray", "3 2") + "/>\n" +
         text_at(at, bottom + 10, "floor-ink small", label, "middle");
}

/// Empty where nothing of it was measured.
std::string panel_at(const Report& report, const Panel& panel, int x, int y) {
  std::vector<std::pair<const Series*, double>> bars;
  double longest = 0;
  for (const Series& series : kSeries) {
    const auto value = report.results.median({panel.case_name, series.stack, panel.key});
    if (!value) continue;
    bars.emplace_back(&series, *value);
    longest = std::max(longest, *value);
  }
  if (bars.empty() || longest <= 0) return {};
  const double scale = kBarRoom / longest;
  std::string text = text_at(x, y, "ink title", panel.title);
  text +=
      text_at(x, y + 15, "faint small", panel.more_is_better ? "more is better" : "less is better");
  int top = y + 25;
  for (const auto& [series, value] : bars) {
    text += bar(report, panel, *series, value, scale, x, top);
    top += kBarStep;
  }
  if (panel.with_floor) {
    text += floor_line(report, scale, x, y + 25, static_cast<int>(bars.size()));
  }
  return text;
}

std::string machine_line(const Report& report) {
  std::string line;
  for (const auto& [name, value] : report.machine) {
    if (name == "memory" || name == "kernel") continue;
    if (!line.empty()) line += ", ";
    if (name == "nginx" || name == "redis" || name == "nchan") line += name + ' ';
    line += value;
    if (name == "cores") line += " cores";
  }
  return line;
}

}  // namespace

std::string as_svg(const Report& report) {
  std::string panels;
  int count = 0;
  for (const Panel& panel : kPanels) {
    const int x = kMargin + count % 2 * kColumnStep;
    const int y = kTop + count / 2 * kPanelHeight;
    const std::string drawn = panel_at(report, panel, x, y);
    panels += drawn;
    count += drawn.empty() ? 0 : 1;
  }
  const int height = kTop + (count + 1) / 2 * kPanelHeight + 8;
  return "<svg xmlns='http://www.w3.org/2000/svg'" + attribute("width", kWidth) +
         attribute("height", height) +
         attribute("viewBox", "0 0 " + std::to_string(kWidth) + ' ' + std::to_string(height)) +
         attribute("role", "img") + attribute("aria-label", kTitle) + ">\n" + kStyle + "<rect" +
         attribute("x", 0.5) + attribute("y", 0.5) + attribute("width", kWidth - 1) +
         attribute("height", height - 1) + attribute("rx", 8) + attribute("class", "paper") +
         "/>\n" + text_at(kMargin, 34, "ink head", kTitle) +
         text_at(kMargin, 52, "faint small", machine_line(report)) +
         text_at(kMargin, 67, "faint small",
                 how_measured(report.options) + "; × is Letterbox to nchan + Redis") +
         panels + "</svg>\n";
}

}  // namespace letterbox::bench
