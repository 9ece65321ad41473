// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "model/json_strings.h"

namespace letterbox {
namespace {

using Strings = std::vector<std::string>;

TEST_CASE("the strings of an array are read in their order, decoded") {
  CHECK(json_strings(R"( [ "b" , "a\u00e9", "", "b" ] )", 10).value() ==
        Strings{"b", "aé", "", "b"});
  CHECK(json_strings("[]", 10)->empty());
}

TEST_CASE("of more strings than may be, one more is kept") {
  CHECK(json_strings(R"(["a","b"])", 2)->size() == 2);
  CHECK(json_strings(R"(["a","b","c"])", 2)->size() == 3);
  CHECK(json_strings(R"(["a","b","c","d","e"])", 2)->size() == 3);
}

TEST_CASE("anything but an array of strings is refused") {
  for (const auto other : {"{}", "null", "1", R"("a")", "[1]", "[true]", "[null]", R"([["a"]])",
                           R"([{"a":"b"}])", R"(["a",[]])", R"({"a":["b"]})"}) {
    CAPTURE(other);
    CHECK(json_strings(other, 10).error().code == Code::bad_request);
  }
  for (const auto bad : {"", "[", R"(["a",])", R"(["a"]x)", "[\"\xff\"]", R"(["a)"}) {
    CAPTURE(bad);
    CHECK(json_strings(bad, 10).error().code == Code::bad_json);
  }
}

}  // namespace
}  // namespace letterbox
