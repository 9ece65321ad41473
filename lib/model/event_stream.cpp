// SPDX-License-Identifier: MIT
#include "model/event_stream.h"

#include <algorithm>
#include <cassert>

#include "base/text.h"
#include "model/json.h"
#include "model/names.h"

namespace letterbox {

namespace {

// One `data:` line for each line of the text. A carriage return ends a line too, alone or before a
// line feed.
void append_data(std::string& out, std::string_view text) {
  while (true) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    out += "data: ";
    out += text.substr(0, end);
    out += '\n';
    if (end == text.size()) return;
    text.remove_prefix(text.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
}

// The text of a JSON string. If it has no escape, that is what is between its quotes.
std::string text_of(std::string_view json) {
  const std::string_view inside = json.substr(1, json.size() - 2);
  if (inside.find('\\') == std::string_view::npos) return std::string(inside);
  return json_text(json);
}

}  // namespace

void append_event(std::string& out, const Message& message, EventFormat format) {
  const auto [type, data] = parts_of(message.body);
  out += "id: ";
  message.id.append_to(out);
  out += '\n';
  const std::string name = type.empty() ? std::string(kDefaultType) : text_of(type);
  if (name != kDefaultType) {
    out += "event: ";
    out += name;
    out += '\n';
  }
  if (format == EventFormat::json) {
    out += "data: ";
    append_message(out, message);
    out += '\n';
  } else if (data.starts_with('"')) {
    append_data(out, text_of(data));
  } else {
    append_data(out, data);
  }
  out += '\n';
}

void append_own_event(std::string& out, std::string_view name, std::string_view json) {
  assert(!name.empty() && !json.empty());
  out += "event: ";
  out += kOwnTypes;
  out += name;
  out += '\n';
  append_data(out, json);
  out += '\n';
}

void append_position(std::string& out, std::string_view cursor) {
  out += "id: ";
  out += cursor;
  out += '\n';
  std::string json = R"({"cursor":")";
  json += cursor;
  json += R"("})";
  append_own_event(out, "position", json);
}

void append_retry(std::string& out, uint64_t ms) {
  out += "retry: ";
  append_u64(out, ms);
  out += '\n';
}

}  // namespace letterbox
