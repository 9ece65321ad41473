// SPDX-License-Identifier: MIT
//
// model/message.h: elements and rings as they come back from Redis, where anybody may have pushed.
#include "model/message.h"

#include "base/text.h"
#include "model/json.h"
#include "model/names.h"
#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {
namespace {

void must_be_part(const Element& element, std::string_view of) {
  must(within(element.body, of), "a body is a part of its text");
  must(element.body.starts_with("{\"") && element.body.ends_with('}'), "a body is an object");
  std::string message;
  append_message(message, {1'795'287'654'123, 7}, element.body);
  must(message.starts_with(R"({"id":"1795287654123-7",")") && message.ends_with('}'),
       "a body takes the id in front");
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

void try_addressed(std::string_view input) {
  for (const auto& [user, ring] : parse_addressed(input)) {
    must(valid_user(user) && within(user, input), "a ring is for a user");
    must(ring.kind != Ring::Kind::raw, "at an address nothing is raw");
    if (ring.kind != Ring::Kind::message) continue;
    must(ring.id.seq > 0, "messages are counted from 1 on");
    must_be_part(ring.element, input);
  }
}

// What we make ourselves of somebody's text.
void try_making(std::string_view input) {
  const std::string text = utf8_lossy(input);
  const std::string made = make_element(text, json_string(text), 5, 7);
  const auto element = parse_element(made);
  must(element && element->expires == 7, "what is made is an element");
  std::string message;
  append_message(message, {5, 1}, element->body);
  const auto json = compact_json(message);
  must(json && *json == message, "and a message is compact JSON");
  must(parse_ring("\x01"
                  "5-1 " +
                  made)
               .kind == Ring::Kind::message,
       "and makes a ring");
}

}  // namespace

void try_one(std::string_view input) {
  if (const auto element = parse_element(input)) must_be_part(*element, input);
  try_ring(input);
  try_addressed(input);
  try_making(input);
}

}  // namespace letterbox::fuzz
