// SPDX-License-Identifier: MIT
//
// Messages as Server-Sent Events: https://html.spec.whatwg.org/multipage/server-sent-events.html
//
//     id: 1795287654123-7
//     event: mail
//     data: {"id":"1795287654123-7","type":"mail","data":{"from":"bob"},"time":1795287660456}
//
// and an empty line. A message of the type `message` has no `event:` line, so that it reaches
// `onmessage`. Empty lines come only after events with data: many parsers ignore an event without
// data and forget its id, and some call their user for any empty line. Pure functions, for any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/message.h"

namespace letterbox {

enum class EventFormat {
  json,  // `data:` is the message as in a poll's answer
  raw,   // `data:` is the message's `data`: a string line by line, anything else as JSON
};

void append_event(std::string& out, const Message& message, EventFormat format);

// One of Letterbox's own events, `letterbox.NAME`. `json` is one line.
void append_own_event(std::string& out, std::string_view name, std::string_view json);

// The client's cursor, as the own event `letterbox.position`. The client sends it when it comes
// back.
void append_position(std::string& out, std::string_view cursor);

// After how many ms the client should come back when the stream has ended for any reason. This line
// is part of the event that follows.
void append_retry(std::string& out, uint64_t ms);

// A comment line. A client ignores it, but hears that the stream is alive, and a client that has
// gone is noticed.
inline constexpr std::string_view kEventPing = ":\n";

}  // namespace letterbox
