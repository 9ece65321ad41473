// SPDX-License-Identifier: MIT
#include "waiting/schedule.h"

#include <cassert>
#include <utility>

namespace letterbox {

void Schedule::add(Place& place, uint64_t due_ms, Entry entry) {
  assert(!place);
  assert((entry.poll != nullptr) != (entry.client != nullptr));
  Line& line = lines_.at(static_cast<size_t>(entry.kind));
  place = line.emplace_hint(line.end(), due_ms, std::move(entry));
}

void Schedule::remove(Place& place) {
  if (!place) return;
  // The poll that holds `place` may be destroyed with the entry.
  const auto entry = *std::exchange(place, std::nullopt);
  assert(!line(entry->second.kind).empty());
  lines_.at(static_cast<size_t>(entry->second.kind)).erase(entry);
}

const Schedule::Entry* Schedule::due(uint64_t now_ms) const {
  const Line* line = earliest();
  return line != nullptr && line->begin()->first <= now_ms ? &line->begin()->second : nullptr;
}

const Schedule::Entry* Schedule::first(Kind kind) const {
  return !line(kind).empty() ? &line(kind).begin()->second : nullptr;
}

std::optional<uint64_t> Schedule::next_due() const {
  const Line* line = earliest();
  return line != nullptr ? std::optional(line->begin()->first) : std::nullopt;
}

const Schedule::Line* Schedule::earliest() const {
  const Line* earliest = nullptr;
  for (const Line& line : lines_) {
    if (line.empty()) continue;
    if (earliest == nullptr || line.begin()->first < earliest->begin()->first) earliest = &line;
  }
  return earliest;
}

}  // namespace letterbox
