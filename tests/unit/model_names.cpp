// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "model/names.h"

namespace letterbox {
namespace {

using namespace std::literals;

TEST_CASE("a user's name is 1 to 128 letters, digits and . _ - @ : +") {
  CHECK(valid_user("alice"));
  CHECK(valid_user("Alice.B_c-d@example.org:5+x"));
  CHECK(valid_user("0"));
  CHECK(valid_user(std::string(128, 'a')));
  CHECK_FALSE(valid_user(""));
  CHECK_FALSE(valid_user(std::string(129, 'a')));
}

TEST_CASE("exactly 68 of all bytes may be in a name, anywhere in it") {
  size_t allowed = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    allowed += valid_user(one);
    CHECK(valid_user(one) == valid_user("a" + one));
    CHECK(valid_user(one) == valid_user(one + "a"));
    CHECK(valid_user(one) == valid_client(one));
  }
  CHECK(allowed == 26 + 26 + 10 + 6);
}

TEST_CASE("a text that would break a key, a header, a path or a pattern is no name") {
  for (const auto bad :
       {"a b", "a\r\nb", "a{b}", "a/b", "../x", "a*", "a,b", "é", "a%20", "a\\b"}) {
    CAPTURE(bad);
    CHECK_FALSE(valid_user(bad));
    CHECK_FALSE(valid_client(bad));
  }
  CHECK_FALSE(valid_user("alice\0"sv));
}

TEST_CASE("a client's name is at most 64 long") {
  CHECK(valid_client("tab-1"));
  CHECK(valid_client(std::string(64, 'a')));
  CHECK_FALSE(valid_client(std::string(65, 'a')));
  CHECK_FALSE(valid_client(""));
}

TEST_CASE("a type is 1 to 64 characters, however many bytes they take") {
  const auto repeat = [](std::string_view character, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += character;
    return text;
  };
  CHECK(valid_type(kDefaultType));
  CHECK(valid_type("70"));
  CHECK(valid_type("new mail, \"quoted\""));
  for (const auto character : {"a", "é", "€", "😀"}) {
    CHECK(valid_type(repeat(character, 64)));
    CHECK_FALSE(valid_type(repeat(character, 65)));
  }
  CHECK_FALSE(valid_type(""));
}

TEST_CASE("a type has no control characters and is UTF-8") {
  for (const std::string& bad : {"\n"s, "a\r"s, "\0"s, "\x1F"s, "\x7F"s, "\xC2\x80"s, "\xC2\x9F"s,
                                 "\xFF"s, "\xC3"s, "\xED\xA0\x80"s}) {
    CAPTURE(bad);
    CHECK_FALSE(valid_type(bad));
    CHECK_FALSE(valid_type("mail" + bad));
  }
  CHECK(valid_type("\xC2\xA0"));
}

}  // namespace
}  // namespace letterbox
