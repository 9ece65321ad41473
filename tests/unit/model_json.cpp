// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>

#include "model/json.h"

namespace letterbox {
namespace {

using namespace std::literals;

std::string repeat(std::string_view text, size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string nested(size_t levels) { return repeat("[", levels) + repeat("]", levels); }

// An array that holds `item` twice, with these marks around and between.
std::string list(const std::array<std::string_view, 3>& marks, const std::string& item) {
  return std::string(marks[0]) + item + std::string(marks[1]) + item + std::string(marks[2]);
}

std::string compact(std::string_view text) {
  auto json = compact_json(text);
  return json ? *std::move(json) : json.error().message;
}

bool refused(std::string_view text) {
  const auto json = compact_json(text);
  return !json && json.error().code == Code::bad_json && !json.error().message.empty();
}

TEST_CASE("white space is dropped, everything else stays in order") {
  CHECK(compact(" { \"b\" : [ 1 , true ,\tfalse,\r\n null ] , \"a\" : { } , \"c\":[ ] } ") ==
        R"({"b":[1,true,false,null],"a":{},"c":[]})");
  for (const auto value :
       {"{}", "[]", "null", "true", "false", "0", "\"\"", "\" a \"", "[[],{}]"}) {
    CHECK(compact(value) == value);
    CHECK(compact(" \n\t\r" + std::string(value) + " \n") == value);
  }
}

TEST_CASE("a repeated key stays, as do keys that are empty or odd") {
  CHECK(compact(R"({"a":1,"a":2})") == R"({"a":1,"a":2})");
  CHECK(compact(R"({"":1,"\u0000":2})") == R"({"":1,"\u0000":2})");
}

TEST_CASE("a number stays as it is written, however large, long or precise") {
  for (const std::string& number : {"0"s,
                                    "-0"s,
                                    "-0.0"s,
                                    "1.0"s,
                                    "1.10"s,
                                    "1e5"s,
                                    "1E5"s,
                                    "1e+05"s,
                                    "1E-0"s,
                                    "0e0"s,
                                    "9007199254740993"s,
                                    "18446744073709551616"s,
                                    "-9223372036854775809"s,
                                    "3.14159265358979323846264338327950288"s,
                                    "0.1000000000000000055511151231257827"s,
                                    "1e400"s,
                                    "-1e400"s,
                                    "1e-400"s,
                                    "1e99999999999999999999"s,
                                    "1e-99999999999999999999"s,
                                    "1" + repeat("0", 400),
                                    repeat("9", 200'000),
                                    "-" + repeat("9", 200'000),
                                    "0." + repeat("3", 200'000),
                                    "1e" + repeat("7", 200'000)}) {
    CAPTURE(number.substr(0, 40));
    CHECK(compact(number) == number);
    CHECK(compact("[" + number + "]") == "[" + number + "]");
    CHECK(compact(list({"[ ", " , ", " ]"}, number)) == list({"[", ",", "]"}, number));
    CHECK(compact("{\"n\":" + number + "}") == "{\"n\":" + number + "}");
  }
}

TEST_CASE("a text that only looks like a number is refused") {
  for (const auto bad :
       {"01",  "-01",   "00",    "-",     "+1",    ".5",    "-.5", "1.",       "1.e5",
        "1e",  "1e+",   "1e-",   "1E.5",  "1e5.5", "1.5.5", "--1", "1-",       "1+1",
        "1-1", "0x10",  "1_000", "1,000", "1 000", "NaN",   "nan", "Infinity", "-Infinity",
        "inf", "1e5e5", "1.5-",  "0.0.0", "1a",    "1\"\"", "٣"}) {
    CAPTURE(bad);
    CHECK(refused(bad));
    CHECK(refused("{\"n\":" + std::string(bad) + "}"));
  }
  CHECK(refused("[01]"));
  CHECK(refused("[1.5.5]"));
  CHECK(refused("[1 2]"));
  CHECK(refused("{1:2}"));
  CHECK(refused("{\"a\" 1}"));
  CHECK(refused(repeat("9", 200'000) + "."));
}

TEST_CASE("strings are escaped only where they must be") {
  CHECK(compact(R"("\u0041\u00e9\u20AC\ud83d\ude00\/")") == "\"Aé€😀/\"");
  CHECK(compact(R"("\"\\\b\f\n\r\t\u0000\u001f\u007f")") ==
        "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001F\x7F\"");
  CHECK(compact("\"é€😀\"") == "\"é€😀\"");
  CHECK(compact(R"({"\u0061\n":1})") == R"({"a\n":1})");
  const std::string mixed = "\"" + repeat("plain text \\n é \\\" ", 10'000) + "\"";
  CHECK(compact(mixed) == mixed);
}

TEST_CASE("a string with a bad escape or a raw control character is refused") {
  for (const auto bad : {R"("\x41")", R"("\u12")", R"("\u12G4")", R"("\U00000041")", R"("\'")",
                         R"("\)", R"("\")", R"(")", R"("abc)", "'a'", "\"a\nb\"", "\"\t\"",
                         "\"\x1F\"", R"("\u")", R"("\u+123")", R"("\u 123")"}) {
    CAPTURE(bad);
    CHECK(refused(bad));
  }
}

TEST_CASE("half a surrogate pair is no character, in values and in keys") {
  for (const std::string& bad :
       {R"(\ud83d)"s, R"(\ud83dx)"s, R"(\ud83d\n)"s, R"(\ud83d\u0041)"s, R"(\ud83d\ud83d)"s,
        R"(\ude00)"s, R"(\ude00\ud83d)"s, R"(a\udc00)"s, R"(\udfff)"s, R"(\ud800)"s}) {
    CAPTURE(bad);
    CHECK(refused("\"" + bad + "\""));
    CHECK(refused("[\"" + bad + "\"]"));
    CHECK(refused("{\"" + bad + "\":1}"));
    CHECK(refused("{\"a\":\"" + bad + "\"}"));
  }
  CHECK(compact(R"("\ud7ff\ue000")") == "\"\xED\x9F\xBF\xEE\x80\x80\"");  // next to the surrogates
}

TEST_CASE("JSON that is not UTF-8 is refused, with the byte") {
  for (const std::string& bad :
       {"\x80"s, "\xC0\x80"s, "\xC3"s, "\xE0\x80\x80"s, "\xE2\x82"s, "\xED\xA0\x80"s,
        "\xF0\x80\x80\x80"s, "\xF4\x90\x80\x80"s, "\xF8\x88\x80\x80\x80"s, "\xFE"s, "\xFF"s}) {
    CAPTURE(bad);
    CHECK(refused("\"" + bad + "\""));
    CHECK(refused("{\"" + bad + "\":1}"));
    CHECK(refused(bad));
    CHECK(refused("1" + bad));
  }
  CHECK(compact("[\"abc\xFF\"]") == "not JSON at byte 5: not UTF-8");
}

TEST_CASE("a NUL is refused anywhere, also after a whole document") {
  CHECK(compact("{}\0"sv) == "not JSON at byte 2: a NUL");
  CHECK(refused("\0{}"sv));
  CHECK(refused("{}\0garbage"sv));
  CHECK(refused("[1,\0 2]"sv));
  CHECK(refused("\"a\0b\""sv));
  CHECK(refused("1\0"sv));
  CHECK(refused("\0"sv));
}

TEST_CASE("anything but one JSON value is refused") {
  for (const auto bad :
       {"",        " ",         "\n",         "{",         "}",        "[",
        "]",       "[1,]",      "[,1]",       "[,]",       "{,}",      "{\"a\":1,}",
        "{\"a\"}", "{\"a\":}",  "{a:1}",      "{'a':1}",   "[1}",      "{\"a\":1]",
        "1 2",     "{} {}",     "{}x",        "nul",       "nulll",    "True",
        "NULL",    "undefined", "// c\n1",    "/* c */ 1", "[1] // c", "\xEF\xBB\xBF{}",
        "\f1",     "\v1",       "\xC2\xA0[]", "[1\f]",     ",",        ":",
        "hello",   "<p>",       "-",          "\\"}) {
    CAPTURE(bad);
    CHECK(refused(bad));
  }
}

TEST_CASE("an error says what is wrong, and at which byte") {
  CHECK(compact("") == "not JSON at byte 0: The document is empty");
  CHECK(compact("[1,2") == "not JSON at byte 4: Missing a comma or ']' after an array element");
  CHECK(compact("{\"a\" 1}") ==
        "not JSON at byte 5: Missing a colon after a name of object member");
  CHECK(compact("[01]") == "not JSON at byte 2: Missing a comma or ']' after an array element");
  CHECK(compact("[\"\\udc00\"]") ==
        "not JSON at byte 9: the string that ends here has half a surrogate pair");
  CHECK(compact(nested(600)) == "not JSON at byte 512: nested too deep");
}

TEST_CASE("512 levels are read, more are refused without a deep stack") {
  CHECK(compact(nested(512)) == nested(512));
  CHECK(refused(nested(513)));
  CHECK(refused(nested(10'000)));
  CHECK(refused(repeat("[", 1'000'000)));
  CHECK(refused(repeat("{\"a\":", 10'000)));
  CHECK(refused(repeat("{\"a\":", 10'000) + "1" + repeat("}", 10'000)));
  CHECK(refused(repeat("[{\"a\":", 5'000) + "1" + repeat("}]", 5'000)));
  const std::string wide = "[" + repeat("[],", 10'000) + "[]]";  // many, none inside another
  CHECK(compact(wide) == wide);
}

TEST_CASE("a document cut short at any byte is refused") {
  const std::string whole =
      R"({"to":["alice","b\u00e9"],"data":{"n":-12.5e+3,"t":[true,false,null]},"ttl":60})";
  REQUIRE(compact_json(whole));
  for (size_t size = 0; size < whole.size(); ++size) REQUIRE(refused(whole.substr(0, size)));
}

TEST_CASE("a document with any byte changed is refused, or its compact form is stable") {
  const std::string whole = R"([{"a":"x\u00e9\n"},-1.5e3,true,null])";
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = whole;
      changed[at] = static_cast<char>(byte);
      const auto once = compact_json(changed);
      if (!once) continue;
      const auto twice = compact_json(*once);
      REQUIRE(twice);
      REQUIRE(*twice == *once);
    }
  }
}

TEST_CASE("a text becomes a JSON string, and that string the text again") {
  CHECK(json_string("") == "\"\"");
  CHECK(json_string({}) == "\"\"");
  CHECK(json_string("hello") == "\"hello\"");
  CHECK(json_string("a\"b\\c/d") == R"("a\"b\\c/d")");
  CHECK(json_string("\0\x01\n\x1F\x7F"sv) == "\"\\u0000\\u0001\\n\\u001F\x7F\"");
  CHECK(json_string("é€😀") == "\"é€😀\"");
  std::string out = "x";
  append_json_string(out, "y\"");
  CHECK(out == "x\"y\\\"\"");
  for (int byte = 0; byte < 0x80; ++byte) {
    const std::string json = json_string("a" + std::string(1, static_cast<char>(byte)) + "b");
    REQUIRE(compact(json) == json);
  }
}

TEST_CASE("a writer puts the commas and escapes") {
  JsonWriter json;
  json.begin_object();
  json.key("user").string("al\"ice");
  json.key("queued").number(-2).key("big").number(INT64_MIN).key("max").number(INT64_MAX);
  json.key("yes").boolean(true).key("no").boolean(false).key("oldest").null();
  json.key("clients").begin_array();
  json.begin_object().key("client").string("").end_object();
  json.begin_object().end_object();
  json.begin_array().end_array();
  json.raw(R"({"a":[1.50]})").raw("2").string("x").end_array();
  json.end_object();
  CHECK(
      json.take() ==
      R"({"user":"al\"ice","queued":-2,"big":-9223372036854775808,"max":9223372036854775807,)"
      R"("yes":true,"no":false,"oldest":null,"clients":[{"client":""},{},[],{"a":[1.50]},2,"x"]})");
}

TEST_CASE("a writer writes one document after the other, also after being moved") {
  JsonWriter first;
  first.begin_array().number(1);
  JsonWriter json = std::move(first);
  CHECK(json.number(2).end_array().take() == "[1,2]");
  CHECK(json.string("next").take() == "\"next\"");
}

}  // namespace
}  // namespace letterbox
