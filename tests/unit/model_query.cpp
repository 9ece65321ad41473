// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "model/query.h"

namespace letterbox {
namespace {

Query query(std::string_view raw) {
  auto parsed = Query::parse(raw);
  REQUIRE(parsed);
  return *std::move(parsed);
}

// The value of `x`, which must be there.
std::string x_of(std::string_view raw) {
  const Query q = query(raw);
  const auto value = q.single("x");
  REQUIRE(value);
  REQUIRE(value->has_value());
  return std::string(**value);
}

TEST_CASE("parameters are found by name, whatever their order") {
  const Query q = query("user=alice&timeout=0.5&after=17-3");
  CHECK(**q.single("user") == "alice");
  CHECK(**q.single("timeout") == "0.5");
  CHECK(**q.single("after") == "17-3");
  CHECK(q.has("user"));
  CHECK_FALSE(q.has("use"));
  CHECK_FALSE(q.has("User"));
  CHECK_FALSE(q.single("client")->has_value());
}

TEST_CASE("an empty query has no parameters") {
  for (const auto raw : {"", "&", "&&&"}) {
    const Query q = query(raw);
    CHECK_FALSE(q.has(""));
    CHECK_FALSE(q.has("x"));
    CHECK(q.all("x").empty());
  }
}

TEST_CASE("a parameter without a value is present and empty") {
  for (const auto raw : {"x", "x=", "&x&", "&&x=&"}) {
    CAPTURE(raw);
    CHECK(x_of(raw) == "");
    CHECK(query(raw).has("x"));
  }
}

TEST_CASE("values are decoded, and split at ampersands and the first equals sign alone") {
  CHECK(x_of("x=a+b%20c") == "a b c");
  CHECK(x_of("x=a%2Bb") == "a+b");
  CHECK(x_of("x=a%26y%3Db") == "a&y=b");
  CHECK(x_of("x=a=b==") == "a=b==");
  CHECK(x_of("x=a;y=b") == "a;y=b");
  CHECK(x_of("x=%C3%A9%E2%82%AC%F0%9F%98%80") == "é€😀");
  CHECK(x_of("x=\xC3\xA9") == "é");
  CHECK(x_of("x=%00") == std::string(1, '\0'));
  CHECK(x_of("x=%2541") == "%41");
  CHECK(x_of("%78=1") == "1");
}

TEST_CASE("a parameter that may be given once is refused the second time") {
  const Query q = query("user=alice&x=1&user=alice");
  const auto twice = q.single("user");
  REQUIRE_FALSE(twice);
  CHECK(twice.error().code == Code::repeated_parameter);
  CHECK(twice.error().message == "user may be given only once");
  CHECK(**q.single("x") == "1");
  for (const auto raw : {"x&x", "x=1&%78=2"}) {
    const Query same = query(raw);
    CHECK_FALSE(same.single("x"));
  }
}

TEST_CASE("a parameter that may be repeated keeps its order") {
  const Query q = query("to=b&x=1&to=a&to=&to=b");
  CHECK(q.all("to") == std::vector<std::string_view>{"b", "a", "", "b"});
}

TEST_CASE("a wrong escape is refused anywhere") {
  for (const auto raw : {"x=%", "x=%4", "x=%zz", "x=1%", "%=1", "%zz", "y=%f&x=1", "x=1&y=%"}) {
    CAPTURE(raw);
    const auto parsed = Query::parse(raw);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Code::bad_encoding);
  }
}

TEST_CASE(
    "a text that is not UTF-8 is refused, escaped or not, also if what follows would complete it") {
  for (const auto raw : {"x=%FF", "x=\xFF", "%FF=1", "x=%C3", "x=%C0%80", "x=%ED%A0%80",
                         "x=%F4%90%80%80", "x=1&y=%80", "%C3=%A9", "x=%C3&y=%A9", "x=%E2%82"}) {
    CAPTURE(raw);
    const auto parsed = Query::parse(raw);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Code::bad_encoding);
  }
}

TEST_CASE("a query outlives the text it was made from, and being moved") {
  std::string raw = "x=1";  // short: moving a string of this size moves its bytes
  auto parsed = Query::parse(raw);
  raw.assign("y=2");
  const Query q = *std::move(parsed);
  CHECK(**q.single("x") == "1");
}

TEST_CASE("thousands of parameters are read") {
  std::string raw;
  for (int i = 0; i < 10'000; ++i) raw += "to=" + std::to_string(i) + "&";
  const Query q = query(raw);
  const auto all = q.all("to");
  REQUIRE(all.size() == 10'000);
  CHECK(all.back() == "9999");
}

TEST_CASE("any two bytes in a row are parsed or refused") {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string raw = {'x', '=', static_cast<char>(a), static_cast<char>(b), '1'};
      const auto parsed = Query::parse(raw);
      REQUIRE((parsed ? parsed->has("x") : parsed.error().code == Code::bad_encoding));
    }
  }
}

}  // namespace
}  // namespace letterbox
