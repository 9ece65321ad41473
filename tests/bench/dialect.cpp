// SPDX-License-Identifier: MIT
#include "dialect.h"

namespace letterbox::bench {

PollReading read_part(const HttpAnswer& part, std::string& cursor,
                      std::vector<std::string_view>& bodies,
                      void (*named)(const ServerEvent& event, PollReading& reading)) {
  bodies.clear();
  PollReading reading;
  if (part.status != 200) return reading;
  reading.kind = PollReading::step;
  std::string_view events = part.body;
  for (ServerEvent event; take_event(events, event);) {
    if (!event.id.empty()) cursor = event.id;
    if (!event.type.empty()) {
      named(event, reading);
    } else if (!event.data.empty()) {
      bodies.push_back(event.data);
    }
  }
  if (!bodies.empty() && reading.kind == PollReading::step) reading.kind = PollReading::messages;
  return reading;
}

void append_stream_headers(std::string& out, std::string_view cursor) {
  out += " HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n";
  if (!cursor.empty()) {
    out += "Last-Event-ID: ";
    out += cursor;
    out += "\r\n";
  }
  out += "\r\n";
}

}  // namespace letterbox::bench
