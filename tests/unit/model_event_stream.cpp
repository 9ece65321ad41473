// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "model/event_stream.h"
#include "model/json.h"

namespace letterbox {
namespace {

std::string event(std::string_view type, std::string_view data, EventFormat format) {
  const std::string element = make_element(type, data, 5, 0);
  std::string out;
  append_event(out, {{1, 2}, parse_element(element)->body}, format);
  return out;
}

std::string raw(std::string_view text) {
  return event("message", json_string(text), EventFormat::raw);
}

TEST_CASE("an event has the message's id, type and JSON") {
  CHECK(event("mail", "[1,2]", EventFormat::json) ==
        "id: 1-2\nevent: mail\n"
        R"(data: {"id":"1-2","type":"mail","data":[1,2],"time":5})"
        "\n\n");
}

TEST_CASE("a message of the default type has no event line") {
  CHECK(event("message", "1", EventFormat::raw) == "id: 1-2\ndata: 1\n\n");
}

TEST_CASE("a type is what it is without its escapes") {
  CHECK(event(R"(a "b" \c)", "1", EventFormat::raw) == "id: 1-2\nevent: a \"b\" \\c\ndata: 1\n\n");
  CHECK(event(R"(","data":)", "1", EventFormat::raw) ==
        "id: 1-2\nevent: \",\"data\":\ndata: 1\n\n");
}

TEST_CASE("raw text is given line by line, however its lines end") {
  CHECK(raw("hello") == "id: 1-2\ndata: hello\n\n");
  CHECK(raw("") == "id: 1-2\ndata: \n\n");
  CHECK(raw("a\nb\r\nc\rd") == "id: 1-2\ndata: a\ndata: b\ndata: c\ndata: d\n\n");
  CHECK(raw("\n") == "id: 1-2\ndata: \ndata: \n\n");
  CHECK(raw("a\r\n\r\n") == "id: 1-2\ndata: a\ndata: \ndata: \n\n");
  CHECK(raw("\"q\" \\ \xc3\xa9") == "id: 1-2\ndata: \"q\" \\ \xc3\xa9\n\n");
}

TEST_CASE("raw data that is no text is JSON, also if it has what ends a message in it") {
  CHECK(event("m", R"({"a":",\"time\":5}"})", EventFormat::raw) ==
        "id: 1-2\nevent: m\n"
        R"(data: {"a":",\"time\":5}"})"
        "\n\n");
  CHECK(event("m", R"({"x":1,"time":7})", EventFormat::raw) ==
        "id: 1-2\nevent: m\n"
        R"(data: {"x":1,"time":7})"
        "\n\n");
}

TEST_CASE("a body that nobody of ours has made is given as it is, and breaks nothing") {
  for (const std::string_view body : {R"({"a":1})", R"({"type":"x)", R"({"type":"x"})", R"({"})"}) {
    std::string out;
    append_event(out, {{1, 2}, body}, EventFormat::json);
    CHECK(out.starts_with("id: 1-2\n"));
    CHECK(out.find("\n\n") == out.size() - 2);
  }
}

TEST_CASE("events of our own begin with letterbox.") {
  std::string out;
  append_own_event(out, "end", R"({"reason":"slow"})");
  CHECK(out == "event: letterbox.end\ndata: {\"reason\":\"slow\"}\n\n");
}

TEST_CASE("where the client stands, and when it is to come back, are no events") {
  std::string out;
  append_position(out, "1-2");
  append_retry(out, 250);
  CHECK(out == "id: 1-2\n\nretry: 250\n\n");
}

}  // namespace
}  // namespace letterbox
