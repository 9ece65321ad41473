// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "model/json.h"
#include "model/message.h"

namespace letterbox {
namespace {

using namespace std::literals;

constexpr uint64_t kTime = 1795287660456;

const std::string kAnnounced = "\x01";

std::string announced(std::string_view id, std::string_view element = "") {
  return std::string(kAnnounced).append(id).append(element);
}

std::string message(const Cursor& id, std::string_view element) {
  const auto parsed = parse_element(element);
  REQUIRE(parsed);
  std::string out;
  append_message(out, {id, parsed->body});
  return out;
}

TEST_CASE("an element holds when it expires, its type, data and time") {
  CHECK(make_element("mail", R"({"from":"bob"})", kTime, 0) ==
        R"(0 {"type":"mail","data":{"from":"bob"},"time":1795287660456})");
  CHECK(make_element("mail", "null", kTime, kTime + 3'600'000) ==
        R"(1795291260456 {"type":"mail","data":null,"time":1795287660456})");
}

TEST_CASE("an element is read back") {
  const std::string text = make_element("mail", "[1, 2]", kTime, 17);
  const auto element = parse_element(text);
  REQUIRE(element);
  CHECK(element->expires == 17);
  CHECK(element->body == R"({"type":"mail","data":[1, 2],"time":1795287660456})");
  CHECK(parse_element(make_element("m", "1", UINT64_MAX, UINT64_MAX))->expires == UINT64_MAX);
}

TEST_CASE("a message is its element's body with the id before it") {
  CHECK(message({1795287654123, 7}, make_element("mail", R"({"from":"bob"})", kTime, 0)) ==
        R"({"id":"1795287654123-7","type":"mail","data":{"from":"bob"},"time":1795287660456})");
  std::string out = "[";
  append_message(out, {{1, 2}, R"({"type":"x"})"});
  CHECK(out == R"([{"id":"1-2","type":"x"})");
}

TEST_CASE("a message is JSON whatever its type and text are") {
  for (const std::string& text : {""s, "\"\\/\b\f\n\r\t"s, "\0\x1F\x7F"s, "é€😀"s, "</script>"s,
                                  "\xE2\x80\xA8\xE2\x80\xA9"s, std::string(100'000, '"')}) {
    const std::string json = message({1, 2}, make_element(text, json_string(text), kTime, 0));
    const auto compact = compact_json(json);
    REQUIRE(compact);
    CHECK(*compact == json);
  }
}

TEST_CASE("a foreign element is not taken for one of Letterbox's") {
  for (const auto bad :
       {"", " ", "0", "0 ", "hello", "hello world", "0 hello", "0 {", "0 {}", "0 []",
        "0  {\"a\":1}", " 0 {\"a\":1}", "x {\"a\":1}", "-1 {\"a\":1}", "{\"a\":1}", "0{\"a\":1}",
        "0 {\"a\":1", "0 {\"a\":1} ", "99999999999999999999 {\"a\":1}"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_element(bad));
  }
}

TEST_CASE("a ring that announces a message carries its id and all of it") {
  const std::string element = make_element("mail", R"("a b c")", kTime, 5);
  const std::string text = announced("1795287654123-7 ", element);
  const Ring ring = parse_ring(text);
  REQUIRE(ring.kind == Ring::Kind::message);
  CHECK(ring.id == Cursor{1795287654123, 7});
  CHECK(ring.element.expires == 5);
  CHECK(ring.element.body == R"({"type":"mail","data":"a b c","time":1795287660456})");
}

TEST_CASE("a bell says only that the mailbox has news") {
  CHECK(parse_ring(announced("*1795287660456")).kind == Ring::Kind::bell);
  CHECK(parse_ring(announced("*0")).kind == Ring::Kind::bell);
}

TEST_CASE("whatever another program pushes into the list is raw, byte for byte") {
  const std::string element = make_element("mail", "1", kTime, 0);
  for (const std::string& text : {""s,
                                  "hello"s,
                                  "\0\xFF\n"s,
                                  "*1795287660456"s,
                                  element,
                                  "1-2 " + element,
                                  kAnnounced,
                                  announced("*"),
                                  announced("*12x"),
                                  announced("* 12"),
                                  announced(kAnnounced),
                                  announced(element),
                                  announced("1-2"),
                                  announced("1-2 "),
                                  announced("1-2 hello"),
                                  announced("1-2  ", element),
                                  announced("x ", element),
                                  announced("0 ", element),
                                  announced("5-0 ", element),
                                  announced(" ", element)}) {
    CAPTURE(text);
    const Ring ring = parse_ring(text);
    CHECK(ring.kind == Ring::Kind::raw);
    CHECK(ring.raw == text);
  }
}

TEST_CASE("a ring cut short at any byte is raw") {
  const std::string whole = announced("17-7 ", make_element("mail", R"({"a":{}})", kTime, 0));
  REQUIRE(parse_ring(whole).kind == Ring::Kind::message);
  for (size_t size = 0; size < whole.size(); ++size) {
    // An inner brace may end it: the body is trusted, since only a push writes an element with that
    // beginning.
    if (whole[size == 0 ? 0 : size - 1] == '}') continue;
    REQUIRE(parse_ring(whole.substr(0, size)).kind == Ring::Kind::raw);
  }
}

TEST_CASE("a ring of a message that was just made is the one that a list would carry") {
  const std::string element = make_element("mail", R"({"a":1})", kTime, 5);
  const Cursor id{1795287654123, 7};
  const Ring ring = ring_of(id, element);
  const std::string text = announced(id.text() + " ", element);
  const Ring carried = parse_ring(text);
  CHECK(ring.kind == Ring::Kind::message);
  CHECK(ring.id == carried.id);
  CHECK(ring.element.expires == carried.element.expires);
  CHECK(ring.element.body == carried.element.body);
}

// The rings parsed from an address: user, kind, id and body of each.
std::string told(std::string_view text) {
  std::string all;
  for (const auto& [user, ring] : parse_addressed(text)) {
    all.append(user).append(ring.kind == Ring::Kind::bell ? " bell" : " message");
    if (ring.kind == Ring::Kind::message) {
      all.append(" ").append(ring.id.text()).append(" ").append(ring.element.body);
      CHECK(ring.element.expires == 5);
    }
    all += '\n';
  }
  return all;
}

TEST_CASE("an element at an address rings for each user that it names, with that user's own id") {
  const std::string element = make_element("mail", R"("a b")", kTime, 5);
  const std::string body = R"({"type":"mail","data":"a b","time":1795287660456})";
  CHECK(told("1795287660456 alice 17-7\n" + element) == "alice message 17-7 " + body + "\n");
  CHECK(told("0 alice 17-7 bob@x.org 9-1\n" + element) ==
        "alice message 17-7 " + body + "\nbob@x.org message 9-1 " + body + "\n");
}

TEST_CASE(
    "if an element at an address carries no message, the mailbox of each named user is read") {
  CHECK(told("1795287660456 alice 17-7 bob 9-1\n") == "alice bell\nbob bell\n");
}

TEST_CASE(
    "an element at an address that names no user, or can't be parsed, has all polls looked at") {
  const std::string element = make_element("mail", "1", kTime, 5);
  for (const std::string& text : {""s,
                                  "\n"s,
                                  "1795287660456 *\n"s,
                                  "1795287660456 *\n" + element,
                                  "1795287660456\n"s,
                                  "by hand"s,
                                  "by hand\n"s,
                                  "alice 17-7\n"s,
                                  "x alice 17-7\n"s,
                                  "-1 alice 17-7\n"s,
                                  "5 alice 17-7"s,
                                  "5 alice 17-7 " + element,
                                  "5 alice\n"s,
                                  "5 alice \n"s,
                                  "5 alice 17\n"s,
                                  "5 alice 0\n"s,
                                  "5 alice 17-0\n"s,
                                  "5 alice 17-x\n"s,
                                  "5 alice 17-7 bob\n"s,
                                  "5 alice 17-7 bob 0\n"s,
                                  "5  alice 17-7\n"s,
                                  "5 al{ice 17-7\n"s,
                                  "5 al\0ice 17-7\n"s,
                                  "5 alice 17-7\nhello"s,
                                  "5 alice 17-7\n "s,
                                  "5 alice 17-7\n\n" + element,
                                  announced("17-7 ", element),
                                  element}) {
    CAPTURE(text);
    CHECK(parse_addressed(text).empty());
  }
}

TEST_CASE("an element at an address, cut short at any byte, never becomes another message") {
  const std::string names = "1795287660456 alice 17-7 bob 9-1\n";
  const std::string whole = std::string(names).append(make_element("mail", "1", kTime, 5));
  REQUIRE(parse_addressed(whole).size() == 2);
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto rings = parse_addressed(std::string_view(whole).substr(0, size));
    // Without their message both mailboxes are read, which is right as well.
    REQUIRE(rings.size() == (size == names.size() ? 2 : 0));
    for (const auto& [user, ring] : rings) REQUIRE(ring.kind == Ring::Kind::bell);
  }
}

}  // namespace
}  // namespace letterbox
