// SPDX-License-Identifier: MIT
//
// A message as Redis holds it, as a push announces it, and as a client gets it.
//
//     element   0 {"type":"mail","data":{"from":"bob"},"time":1795287660456}
//     ring      \x01 directly followed by `1795287654123-7 ` and an element,
//               or a bell: \x01 directly followed by `*1795287660456`, the time of the push
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

// `body` is that of an Element.
void append_message(std::string& out, const Cursor& id, std::string_view body);

// What stands in `mailbox:{user}`, where BLPOP finds it.
struct Ring {
  enum class Kind {
    message,  // announces the newest message, whole: id and element
    bell,     // there is something, read the list
    raw,      // somebody's own RPUSH, to be adopted as a text message
  };

  Kind kind = Kind::raw;
  Cursor id = {};             // of a message
  uint64_t since = 0;         // of a bell: when it was hung, ms since 1970
  Element element = {};       // of a message
  std::string_view raw = {};  // of a raw one: all of it, any bytes
};

// Never fails: what is neither a message nor a bell is raw.
Ring parse_ring(std::string_view text);

}  // namespace letterbox
