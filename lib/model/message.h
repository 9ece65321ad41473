// SPDX-License-Identifier: MIT
//
// A message as Redis holds it, as a push announces it, and as a client gets it.
//
//     element   0 {"type":"mail","data":{"from":"bob"},"time":1795287660456}
//     ring      \x01 directly followed by `1795287654123-7 ` and an element,
//               or a bell: \x01 directly followed by `*1795287660456`, the time of the push
//     addressed `1795287660456 alice 1795287654123-7 bob 1795287650000-2`, a line feed, an element;
//               or nothing behind that: the lists are to be read; `1795287660456 *`: all lists
//     message   {"id":"1795287654123-7","type":"mail","data":{"from":"bob"},"time":1795287660456}
//
// The number before an element is the millisecond at which it expires, 0 for never.
// An element carries no id: its place in the list is its id. Its body becomes a message by
// putting the id in front, so bodies are never parsed on their way out. Views point into the text
// they were parsed from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/cursor.h"

namespace letterbox {

// `data_json` must be JSON, see compact_json; `type` well-formed UTF-8.
// `expires_ms` is since 1970, 0 for never.
std::string make_element(std::string_view type, std::string_view data_json, uint64_t time_ms,
                         uint64_t expires_ms);

struct Element {
  uint64_t expires = 0;
  std::string_view body;
};

// Nothing where `text` is no element of ours. The body is trusted to be what make_element wrote,
// but for its first and last bytes.
std::optional<Element> parse_element(std::string_view text);

// One message of a mailbox, for who reads it. `body` is that of an Element.
struct Message {
  Cursor id;
  std::string_view body;
};

void append_message(std::string& out, const Message& message);

// What make_element() put into a body: two JSON values.
struct BodyParts {
  std::string_view type;  // a string, with its quotes
  std::string_view data;
};
// Empty ones where it is no such body.
BodyParts parts_of(std::string_view body);

// What says that there is something new in a mailbox.
struct Ring {
  enum class Kind {
    message,  // announces one message, and carries it
    bell,     // there is something, read the list
    raw,      // somebody's own RPUSH, to be adopted as a text message
  };

  Kind kind = Kind::raw;
  Cursor id = {};             // of a message
  Element element = {};       // of a message
  std::string_view raw = {};  // of a raw one: all of it, any bytes
};

// Of what stands in `mailbox:{user}`. Never fails: what is neither a message nor a bell is raw.
Ring parse_ring(std::string_view text);

// Of a message that was pushed, as make_element wrote it.
Ring ring_of(const Cursor& id, std::string_view element);

// Of what stands at an address: a message rings for each of these users. None: it says that there
// was too much, or it can't be read; everything is to be looked at.
using AddressedRing = std::pair<std::string_view, Ring>;
std::vector<AddressedRing> parse_addressed(std::string_view text);

}  // namespace letterbox
