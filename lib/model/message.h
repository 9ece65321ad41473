// SPDX-License-Identifier: MIT
//
// A message in three forms: as Redis holds it, as a push announces it, and as a client gets it.
//
//     element   0 {"type":"mail","data":{"from":"bob"},"time":1795287660456}
//     ring      \x01 directly followed by `1795287654123-7 ` and an element,
//               or a bell: \x01 directly followed by `*1795287660456`, the time of the push
//     addressed `1795287660456 alice 1795287654123-7 bob 1795287650000-2`, a line feed, an element;
//               or nothing after the line feed: read the lists; `1795287660456 *`: read all lists
//     message   {"id":"1795287654123-7","type":"mail","data":{"from":"bob"},"time":1795287660456}
//
// The number before an element is the millisecond at which it expires, 0 for never. A message that
// was replaced or retracted leaves the element `~`, a placeholder, so that later ones keep their
// ids. An element has no id: its place in the list is its id. Its body becomes a message when the
// id is put in front, so a body is never parsed on its way out. Views point into the text that they
// were parsed from.
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

// The element of a message that was replaced or retracted.
inline constexpr std::string_view kPlaceholder = "~";

// None if `text` is no message's element. Only the first and last bytes of the body are checked:
// the rest is trusted to be what make_element wrote.
std::optional<Element> parse_element(std::string_view text);

// One message of a mailbox, for a client that reads it. `body` is an Element's body.
struct Message {
  Cursor id;
  std::string_view body;
};

void append_message(std::string& out, const Message& message);

// The two JSON values that make_element() put into a body.
struct BodyParts {
  std::string_view type;  // a string, with its quotes
  std::string_view data;
};
// Both are empty if `body` is no such body.
BodyParts parts_of(std::string_view body);

// Says that there is something new in a mailbox.
struct Ring {
  enum class Kind {
    message,  // announces one message, and carries it
    bell,     // something is new: read the list
    raw,      // an RPUSH by hand, to be adopted as a text message
  };

  Kind kind = Kind::raw;
  Cursor id = {};             // of a message
  Element element = {};       // of a message
  std::string_view raw = {};  // of a raw ring: the whole element, any bytes
};

// The ring that an element of `mailbox:{user}` is. Never fails: an element that is neither a
// message nor a bell is raw.
Ring parse_ring(std::string_view text);

// The ring of a message that was pushed. `element` is as make_element wrote it.
Ring ring_of(const Cursor& id, std::string_view element);

// The rings in an element of an address: one message rings for each of these users. None: there
// were too many rings, or the element can't be read. Then all mailboxes must be looked at.
using AddressedRing = std::pair<std::string_view, Ring>;
std::vector<AddressedRing> parse_addressed(std::string_view text);

}  // namespace letterbox
