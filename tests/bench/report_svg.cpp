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
    {"stream-closed", "rate", "Streams: messages a second, at full speed", "", true, false},
    {"stream-closed", "cpu_us", "Streams: CPU a message, at full speed", " µs", false, false},
    {"stream-broadcast", "last_ms", "Streams, one message to 10,000: the last", " ms", false,
     false},
    {"stream-broadcast", "cpu_us", "Streams, one message to 10,000: CPU for each", " µs", false,
     false},
};

/// /// The stacks that are drawn, from top to bottom, and the style of each bar. The two
/// letterboxes differ too little for a picture.
constexpr std::pair<const char*, const char*> kSeries[] = {
    {kLetterbox, "own"}, {kNchanRedis, "rival"}, {kNchanMemory, "other"},
    {kPushpin, "rival"}, {kSocketIo, "rival"},
};

// All in pixels of an 860 wide picture.
constexpr int kWidth = 860;
constexpr int kMargin = 28;
constexpr int kTop = 113;
constexpr int kPanelWidth = 390;
constexpr int kColumnStep = kPanelWidth + 24;
constexpr int kLabelWidth = 126;
constexpr int kBarRoom = 108;  // the longest bar; its value comes after it
constexpr int kBarHeight = 14;
constexpr int kBarStep = 22;
constexpr int kPanelHead = 25;  // above the bars: two lines
constexpr int kPanelFoot = 32;  // below them: the floor's label, and air

constexpr const char* kTitle = "Letterbox and its rivals, in one run on one machine";

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

/// "2.3 ×": how Letterbox compares with this rival, and "1.2 % lost" if it lost some.
std::string remark(const Report& report, const Panel& panel, std::string_view stack) {
  std::string text;
  if (stack != kLetterbox) {
    const auto ratio = report.results.ratio({panel.case_name, kLetterbox, panel.key},
                                            {panel.case_name, stack, panel.key});
    if (ratio) text = rounded(*ratio) + " ×";
  }
  const Verdict verdict = report.results.verdict(panel.case_name, stack);
  if (verdict.lost > 0) {
    text += text.empty() ? "" : ", ";
    const double part = static_cast<double>(verdict.lost) / static_cast<double>(verdict.pushed);
    text += rounded(part * 100) + " % lost";
  }
  return text;
}

std::string bar(const Report& report, const Panel& panel, const char* stack, const char* style,
                double value, double scale, int x, int y) {
  const double length = std::max(1.0, value * scale);
  const int baseline = y + kBarHeight - 3;
  const std::string remarked = remark(report, panel, stack);
  const std::string span = remarked.empty()
                               ? ""
                               : "<tspan" + attribute("dx", 8) + attribute("class", "faint") + '>' +
                                     remarked + "</tspan>";
  return text_at(x + kLabelWidth - 8, baseline, "ink small", stack_kind(stack).title, "end") +
         "<rect" + attribute("x", x + kLabelWidth) + attribute("y", y) +
         attribute("width", length) + attribute("height", kBarHeight) + attribute("rx", 2) +
         attribute("class", style) + "/>\n" +
         text_at(x + kLabelWidth + length + 6, baseline, "ink small", rounded(value) + panel.unit,
                 "start", span);
}

/// The line that is a lower bound for every such design.
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

struct Drawn {
  std::string text;
  int bars = 0;  // none: the figure was not measured
};

Drawn panel_at(const Report& report, const Panel& panel, int x, int y) {
  double longest = 0;
  Drawn drawn;
  for (const auto& [stack, style] : kSeries) {
    const auto value = report.results.median({panel.case_name, stack, panel.key});
    longest = std::max(longest, value.value_or(0));
  }
  if (longest <= 0) return drawn;
  const double scale = kBarRoom / longest;
  drawn.text =
      text_at(x, y, "ink title", panel.title) +
      text_at(x, y + 15, "faint small", panel.more_is_better ? "more is better" : "less is better");
  const int top = y + kPanelHead;
  for (const auto& [stack, style] : kSeries) {
    const auto value = report.results.median({panel.case_name, stack, panel.key});
    if (!value) continue;
    drawn.text += bar(report, panel, stack, style, *value, scale, x, top + drawn.bars * kBarStep);
    ++drawn.bars;
  }
  if (panel.with_floor) drawn.text += floor_line(report, scale, x, top, drawn.bars);
  return drawn;
}

/// The machine, or the versions of the programs.
std::string machine_line(const Report& report, bool versions) {
  std::string line;
  for (const auto& [name, value] : report.machine) {
    if (name == "memory" || name == "kernel") continue;
    const bool cores = name == "cores";
    const bool plain = name == "date" || name == "processor" || name == "system";
    if (versions == (plain || cores)) continue;
    if (!line.empty()) line += ", ";
    if (versions) line += name + ' ';
    line += value;
    if (cores) line += " cores";
  }
  return line;
}

}  // namespace

std::string as_svg(const Report& report) {
  std::string panels;
  int y = kTop;
  int in_row = 0;
  int most_bars = 0;  // of this row
  for (const Panel& panel : kPanels) {
    const Drawn drawn = panel_at(report, panel, kMargin + in_row * kColumnStep, y);
    if (drawn.bars == 0) continue;
    panels += drawn.text;
    most_bars = std::max(most_bars, drawn.bars);
    if (++in_row < 2) continue;
    y += kPanelHead + most_bars * kBarStep + kPanelFoot;
    in_row = most_bars = 0;
  }
  if (in_row > 0) y += kPanelHead + most_bars * kBarStep + kPanelFoot;
  const int height = y;
  return "<svg xmlns='http://www.w3.org/2000/svg'" + attribute("width", kWidth) +
         attribute("height", height) +
         attribute("viewBox", "0 0 " + std::to_string(kWidth) + ' ' + std::to_string(height)) +
         attribute("role", "img") + attribute("aria-label", kTitle) + ">\n" + kStyle + "<rect" +
         attribute("x", 0.5) + attribute("y", 0.5) + attribute("width", kWidth - 1) +
         attribute("height", height - 1) + attribute("rx", 8) + attribute("class", "paper") +
         "/>\n" + text_at(kMargin, 34, "ink head", kTitle) +
         text_at(kMargin, 52, "faint small", machine_line(report, false)) +
         text_at(kMargin, 67, "faint small", machine_line(report, true)) +
         text_at(kMargin, 82, "faint small",
                 how_measured(report.options) + "; × is Letterbox to this rival") +
         panels + "</svg>\n";
}

}  // namespace letterbox::bench
