// SPDX-License-Identifier: MIT
#include "event_stream.h"

#include <utility>

#include "chunks.h"

namespace letterbox::bench {
namespace {

constexpr std::string_view kEventEnd = "\n\n";

bool take_field(std::string_view line, std::string_view name, std::string_view& value) {
  if (!line.starts_with(name)) return false;
  value = line.substr(name.size());
  return true;
}

}  // namespace

ptrdiff_t StreamBody::take(std::string_view bytes, std::string_view& events, std::string& joined) {
  std::string_view text = bytes;
  auto used = static_cast<ptrdiff_t>(bytes.size());
  if (chunked_) {
    used = take_chunk(bytes, text);
    if (used <= 0) return used;
    ended_ = text.empty();
  }
  events = whole_events(text, joined);
  return used;
}

std::string_view StreamBody::whole_events(std::string_view text, std::string& joined) {
  if (!rest_.empty()) {
    joined = std::exchange(rest_, {});
    joined += text;
    text = joined;
  }
  const size_t end = text.rfind(kEventEnd);
  const size_t whole = end == std::string_view::npos ? 0 : end + kEventEnd.size();
  rest_ = text.substr(whole);
  return text.substr(0, whole);
}

bool take_event(std::string_view& events, ServerEvent& event) {
  if (events.empty()) return false;
  event = {};
  while (!events.empty()) {
    const std::string_view line = events.substr(0, events.find('\n'));
    events.remove_prefix(line.size() + 1);
    if (line.empty()) break;
    take_field(line, "data: ", event.data) || take_field(line, "id: ", event.id) ||
        take_field(line, "event: ", event.type);
  }
  return true;
}

}  // namespace letterbox::bench
