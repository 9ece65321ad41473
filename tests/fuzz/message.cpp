// SPDX-License-Identifier: MIT
//
// model/message.h: elements and rings as they come back from Redis, from a mailbox's list and from
// an address, into which any program may have pushed.
#include "model/message.h"

#include "base/text.h"
#include "model/event_stream.h"
#include "model/json.h"
#include "model/names.h"
#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {
namespace {

void must_be_part(const Element& element, std::string_view of) {
  must(within(element.body, of), "a body is a part of its text");
  must(element.body.starts_with("{\"") && element.body.ends_with('}'), "a body is an object");
  std::string message;
  append_message(message, {{1'795'287'654'123, 7}, element.body});
  must(message.starts_with(R"({"id":"1795287654123-7",")") && message.ends_with('}'),
       "a body takes the id before it");
}

void try_ring(std::string_view input) {
  const Ring ring = parse_ring(input);
  switch (ring.kind) {
    case Ring::Kind::raw:
      must(ring.raw == input && within(ring.raw, input), "a raw element is all of it");
      break;
    case Ring::Kind::bell:
      must(input.starts_with("\x01*"), "a bell says that it is one");
      break;
    case Ring::Kind::message: {
      must(ring.id.seq > 0, "messages are counted from 1 on");
      must_be_part(ring.element, input);
      const std::string printed = "\x01" + ring.id.text() + " " +
                                  std::to_string(ring.element.expires) + " " +
                                  std::string(ring.element.body);
      const Ring again = parse_ring(printed);
      must(again.kind == ring.kind && again.id == ring.id &&
               again.element.expires == ring.element.expires &&
               again.element.body == ring.element.body,
           "a ring is read as it is printed");
      break;
    }
  }
}

bool same(const Ring& one, const Ring& other) {
  return one.kind == other.kind && one.id == other.id &&
         one.element.expires == other.element.expires && one.element.body == other.element.body;
}

void try_addressed(std::string_view input) {
  const auto rings = parse_addressed(input);
  if (rings.empty()) return;
  std::string printed = "5";
  std::string element;
  for (const auto& [user, ring] : rings) {
    must(within(user, input) && valid_user(user), "a name is a user's");
    must(ring.kind != Ring::Kind::raw, "no raw element rings at an address");
    must(ring.kind == rings.front().second.kind, "one message rings for all, or none does");
    if (ring.kind == Ring::Kind::message) {
      must(ring.id.seq > 0, "messages are counted from 1 on");
      must_be_part(ring.element, input);
      element = std::to_string(ring.element.expires) + " " + std::string(ring.element.body);
    }
    const Cursor id = ring.kind == Ring::Kind::message ? ring.id : Cursor{1, 1};
    printed.append(" ").append(user).append(" ").append(id.text());
  }
  printed.append("\n").append(element);
  const auto again = parse_addressed(printed);
  must(again.size() == rings.size(), "an address is read as it is printed");
  for (size_t i = 0; i < rings.size(); ++i) {
    must(again[i].first == rings[i].first && same(again[i].second, rings[i].second),
         "and so is each of its rings");
  }
}

// Any text stays within its event's `data:` lines.
void must_be_one_event(const std::string& text) {
  const std::string made = make_element("mail", json_string(text), 5, 0);
  for (const auto format : {EventFormat::json, EventFormat::raw}) {
    std::string event;
    append_event(event, {{5, 1}, parse_element(made)->body}, format);
    must(event.find("\n\n") == event.size() - 2, "an event ends once");
    must(event.starts_with("id: 5-1\nevent: mail\ndata: "), "and begins with its id and type");
    must(event.find('\r') == std::string::npos, "no line ends in another way");
    for (size_t at = event.find("data: "); at + 2 < event.size(); at = event.find('\n', at) + 1) {
      must(event.compare(at, 6, "data: ") == 0, "each of its other lines is data");
    }
  }
}

// What Letterbox itself makes of a text from outside.
void try_making(std::string_view input) {
  const std::string text = utf8_lossy(input);
  const std::string made = make_element(text, json_string(text), 5, 7);
  const auto element = parse_element(made);
  must(element && element->expires == 7, "the result is an element");
  std::string message;
  append_message(message, {{5, 1}, element->body});
  const auto json = compact_json(message);
  must(json && *json == message, "and a message is compact JSON");
  must(parse_ring("\x01"
                  "5-1 " +
                  made)
               .kind == Ring::Kind::message,
       "and makes a ring");
  must(same(ring_of({5, 1}, made), {Ring::Kind::message, {5, 1}, *element, {}}),
       "also if only the element is parsed");
  must(parse_addressed("9 alice 5-1 bob 6-2\n" + made).size() == 2, "and rings at an address");
  must_be_one_event(text);
}

}  // namespace

void try_one(std::string_view input) {
  if (const auto element = parse_element(input)) {
    must(input != kPlaceholder, "a placeholder is no message");
    must_be_part(*element, input);
  }
  try_ring(input);
  try_addressed(input);
  try_making(input);
}

}  // namespace letterbox::fuzz
