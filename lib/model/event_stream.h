// SPDX-License-Identifier: MIT
//
// Messages as Server-Sent Events: https://html.spec.whatwg.org/multipage/server-sent-events.html
//
//     id: 1795287654123-7
//     event: mail
//     data: {"id":"1795287654123-7","type":"mail","data":{"from":"bob"},"time":1795287660456}
//
// and an empty line. A message of the type `message` has no `event:` line, so that it reaches
// `onmessage`. Each empty line ends an event with data: many parsers take an event without data for
// none and forget its id, and some call their user for any empty line. Pure functions, free for any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/message.h"

namespace letterbox {

enum class EventFormat {
  json,  // `data:` is the message as a poll's answer has it
  raw,   // `data:` is the message's `data`: a string as it is, line by line, anything else as JSON
};

void append_event(std::string& out, const Message& message, EventFormat format);

// An event of our own, `letterbox.NAME`; `json` is one line.
void append_own_event(std::string& out, std::string_view name, std::string_view json);

// Where the client stands: it says so when it comes back. An event of our own,
// `letterbox.position`.
void append_position(std::string& out, std::string_view cursor);

// After how long the client is to come back when the stream has ended, however it did. A line of
// the event that follows.
void append_retry(std::string& out, uint64_t ms);

// A line of comment: nothing to a client, but something came, and whoever has gone is noticed.
inline constexpr std::string_view kEventPing = ":\n";

}  // namespace letterbox
