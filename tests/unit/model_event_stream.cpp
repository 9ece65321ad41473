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

TEST_CASE("a type is written without its escapes") {
  CHECK(event(R"(a "b" \c)", "1", EventFormat::raw) == "id: 1-2\nevent: a \"b\" \\c\ndata: 1\n\n");
  CHECK(event(R"(","data":)", "1", EventFormat::raw) ==
        "id: 1-2\nevent: \",\"data\":\ndata: 1\n\n");
}

TEST_CASE("raw text is written line by line, however its lines end") {
  CHECK(raw("hello") == "id: 1-2\ndata: hello\n\n");
  CHECK(raw("") == "id: 1-2\ndata: \n\n");
  CHECK(raw("a\nb\r\nc\rd") == "id: 1-2\ndata: a\ndata: b\ndata: c\ndata: d\n\n");
  CHECK(raw("\n") == "id: 1-2\ndata: \ndata: \n\n");
  CHECK(raw("a\r\n\r\n") == "id: 1-2\ndata: a\ndata: \ndata: \n\n");
  CHECK(raw("\"q\" \\ \xc3\xa9") == "id: 1-2\ndata: \"q\" \\ \xc3\xa9\n\n");
}

TEST_CASE("raw data other than text is JSON, also if it contains the end of a message") {
  CHECK(event("m", R"({"a":",\"time\":5}"})", EventFormat::raw) ==
        "id: 1-2\nevent: m\n"
        R"(data: {"a":",\"time\":5}"})"
        "\n\n");
  CHECK(event("m", R"({"x":1,"time":7})", EventFormat::raw) ==
        "id: 1-2\nevent: m\n"
        R"(data: {"x":1,"time":7})"
        "\n\n");
}

TEST_CASE("a body that Letterbox has not made is written as it is, and breaks no event") {
  for (const std::string_view body : {R"({"a":1})", R"({"type":"x)", R"({"type":"x"})", R"({"})"}) {
    std::string out;
    append_event(out, {{1, 2}, body}, EventFormat::json);
    CHECK(out.starts_with("id: 1-2\n"));
    CHECK(out.find("\n\n") == out.size() - 2);
  }
}

TEST_CASE("Letterbox's own events begin with letterbox.") {
  std::string out;
  append_own_event(out, "end", R"({"reason":"slow"})");
  CHECK(out == "event: letterbox.end\ndata: {\"reason\":\"slow\"}\n\n");
}

// --- for parsers that depart from the standard ------------------------------------------------

// The events of a stream, each ended by an empty line.
size_t events_without_data(std::string_view stream) {
  size_t found = 0;
  for (size_t end = 0; (end = stream.find("\n\n")) != std::string_view::npos;
       stream.remove_prefix(end + 2)) {
    const std::string event = '\n' + std::string(stream.substr(0, end));
    if (event.find("\ndata: ") == std::string::npos) ++found;
  }
  CHECK(stream.empty());
  return found;
}

TEST_CASE("a position is an event with data: many parsers forget an id without data") {
  std::string stream;
  append_position(stream, "1795287654123-7");
  CHECK(stream ==
        "id: 1795287654123-7\n"
        "event: letterbox.position\n"
        "data: {\"cursor\":\"1795287654123-7\"}\n\n");
}

TEST_CASE("each empty line of a stream ends an event with data") {
  std::string stream;
  append_retry(stream, 1500);
  append_position(stream, "0");
  stream += kEventPing;
  const Message message{{1795287654123, 7}, R"({"type":"message","data":"","time":1})"};
  append_event(stream, message, EventFormat::json);
  append_retry(stream, 20);
  append_own_event(stream, "end", R"({"reason":"timeout","retry_after_ms":20})");
  CHECK(events_without_data(stream) == 0);
}

}  // namespace
}  // namespace letterbox
