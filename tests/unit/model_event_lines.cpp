// SPDX-License-Identifier: MIT
//
// What a stream must be to parsers that are not as the standard has them.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "model/event_stream.h"

namespace letterbox {
namespace {

// The events of a stream, as far as an empty line ends each.
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

TEST_CASE("a position is an event with data: many parsers forget an id that comes without any") {
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
