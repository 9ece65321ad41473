// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "model/envelope.h"

namespace letterbox {
namespace {

using namespace std::literals;

using Names = std::vector<std::string>;

Envelopes envelopes(std::string_view body) {
  auto parsed = parse_envelopes(body);
  REQUIRE(parsed);
  return *std::move(parsed);
}

Or<Envelope> single(std::string_view body) {
  Envelopes parsed = envelopes(body);
  CHECK_FALSE(parsed.batch);
  REQUIRE(parsed.items.size() == 1);
  return std::move(parsed.items[0]);
}

// The error, which there must be.
Error refusal(std::string_view body) {
  auto item = single(body);
  REQUIRE_FALSE(item);
  return std::move(item).error();
}

TEST_CASE("an envelope names one user, a type, data and a life") {
  const auto item = single(R"({"to":"alice","type":"mail","data":{"from":"bob"},"ttl":3600})");
  REQUIRE(item);
  CHECK(item->to == Names{"alice"});
  CHECK_FALSE(item->many);
  CHECK(item->type == "mail");
  CHECK(item->data == R"({"from":"bob"})");
  CHECK(item->ttl_ms == 3'600'000);
}

TEST_CASE("everything except the user may be left out") {
  const auto item = single(R"({"to":"alice"})");
  REQUIRE(item);
  CHECK_FALSE(item->type);
  CHECK(item->data == "null");
  CHECK_FALSE(item->ttl_ms);
}

TEST_CASE("an envelope says when it is to be pushed: after a delay, or at a time") {
  CHECK(single(R"({"to":"a","delay":1.5})")->delay_ms == 1500);
  CHECK(single(R"({"to":"a","delay":0})")->delay_ms == 0);
  CHECK(single(R"({"to":"a","at":1795287654123})")->at_ms == 1'795'287'654'123);
  CHECK_FALSE(single(R"({"to":"a"})")->delay_ms);
  CHECK_FALSE(single(R"({"to":"a"})")->at_ms);
  for (const auto* bad :
       {R"({"to":"a","delay":-1})", R"({"to":"a","delay":1e3})", R"({"to":"a","at":1.5})",
        R"({"to":"a","at":-1})", R"({"to":"a","at":99999999999999999999})"}) {
    CHECK(refusal(bad).code == Code::bad_time);
  }
  for (const auto* bad : {R"({"to":"a","delay":"1"})", R"({"to":"a","at":null})",
                          R"({"to":"a","at":[1]})", R"({"to":"a","delay":true})",
                          R"({"to":"a","at":1,"at":1})", R"({"to":"a","delay":1,"delay":1})"}) {
    CHECK(refusal(bad).code == Code::bad_envelope);
  }
}

TEST_CASE("several users stay in order, and one in an array is several too") {
  const auto item = single(R"({"to":["alice","bob","alice"]})");
  REQUIRE(item);
  CHECK(item->to == Names{"alice", "bob", "alice"});
  CHECK(item->many);
  CHECK(single(R"({"to":["alice"]})")->many);
}

TEST_CASE("names are taken as they are: the push checks them") {
  CHECK(single(R"({"to":["","a b","\u0000"]})")->to == Names{"", "a b", std::string(1, '\0')});
}

TEST_CASE("data is any JSON, compact, its numbers as written") {
  for (const std::string data :
       {"null", "true", "false", "0", "-1.50e+400", "12345678901234567890123", R"("")", R"("x\n")",
        "[]", "{}", "[[],{},[{}]]", R"({"to":["x"],"data":{"data":1,"ttl":"x"},"type":7})",
        R"({"a":1,"a":2})", R"([{"to":"bob"},1])"}) {
    for (const std::string& body :
         {R"({"to":"alice","data":)" + data + "}",
          R"({ "data" : )" + data + R"( , "to" : [ "alice" ] , "type" : "message" })"}) {
      CAPTURE(body);
      const auto item = single(body);
      REQUIRE(item);
      CHECK(item->data == data);
      CHECK(item->to == Names{"alice"});
      CHECK(item->type.value_or("message") == "message");
    }
  }
  CHECK(single("{\"to\":\"a\",\"data\": [ 1 , { \"b\" : \"\\u0041\" } ] }")->data ==
        R"([1,{"b":"A"}])");
}

TEST_CASE("members are found by their names, however these are escaped") {
  const auto item = single(R"({"\u0074o":"alice","typ\u0065":"mail"})");
  REQUIRE(item);
  CHECK(item->to == Names{"alice"});
  CHECK(item->type == "mail");
}

TEST_CASE("unknown members are ignored with all that is in them, even if repeated") {
  const auto item =
      single(R"({"x":{"to":7,"data":[1]},"y":[["to"],{"to":{}}],"x":1,"to":"alice","":2,"To":3,)"
             R"("data":5,"z":[{"ttl":"no"}],"tto":[1]})");
  REQUIRE(item);
  CHECK(item->to == Names{"alice"});
  CHECK(item->data == "5");
}

TEST_CASE("a batch keeps its order and tells each item's fault") {
  const Envelopes batch = envelopes(
      R"([{"to":"alice","data":[1]},5,{"data":{"a":[2]}},{"to":["bob","eve"],"data":{"b":3}},[],)"
      R"([{"to":"x"}],null,{"to":7,"data":1},{"to":"carol"}])");
  CHECK(batch.batch);
  REQUIRE(batch.items.size() == 9);
  CHECK(batch.items[0]->data == "[1]");
  CHECK(batch.items[1].error().code == Code::bad_envelope);
  CHECK(batch.items[2].error().code == Code::missing_to);
  CHECK(batch.items[3]->to == Names{"bob", "eve"});
  CHECK(batch.items[3]->data == R"({"b":3})");
  CHECK(batch.items[4].error().code == Code::bad_envelope);
  CHECK(batch.items[5].error().code == Code::bad_envelope);
  CHECK(batch.items[6].error().code == Code::bad_envelope);
  CHECK(batch.items[7].error().code == Code::bad_envelope);
  CHECK(batch.items[8]->to == Names{"carol"});
  CHECK(batch.items[8]->data == "null");  // nothing is left over from the one before
}

TEST_CASE("a batch may hold one envelope, or none") {
  CHECK(envelopes(R"([{"to":"alice"}])").batch);
  CHECK(envelopes(R"([{"to":"alice"}])").items.size() == 1);
  CHECK(envelopes("[]").batch);
  CHECK(envelopes("[]").items.empty());
}

TEST_CASE("anything but an object is no envelope") {
  CHECK(refusal("5").message == "an envelope must be an object, got a number");
  CHECK(refusal("\"alice\"").message == "an envelope must be an object, got a string");
  CHECK(refusal("null").message == "an envelope must be an object, got null");
  CHECK(refusal("true").message == "an envelope must be an object, got true");
  CHECK(refusal("false").code == Code::bad_envelope);
}

TEST_CASE("an envelope without a recipient is missing_to") {
  for (const auto body : {"{}", R"({"data":1})", R"({"to":[]})", R"({"TO":"alice"})"}) {
    CHECK(refusal(body).code == Code::missing_to);
  }
}

TEST_CASE("a member of the wrong kind is refused, and its kind told") {
  for (const auto body :
       {R"({"to":5})", R"({"to":null})", R"({"to":true})", R"({"to":{}})", R"({"to":{"to":"a"}})",
        R"({"to":["a",5]})", R"({"to":[null,"a"]})", R"({"to":["a",["b"]]})", R"({"to":[{}]})",
        R"({"to":"a","type":5})", R"({"to":"a","type":null})", R"({"to":"a","type":["mail"]})",
        R"({"to":"a","ttl":"60"})", R"({"to":"a","ttl":null})", R"({"to":"a","ttl":[60]})",
        R"({"to":"a","ttl":{"s":60}})", R"({"to":"a","ttl":true})"}) {
    CAPTURE(body);
    CHECK(refusal(body).code == Code::bad_envelope);
  }
  CHECK(refusal(R"({"to":["a",5]})").message ==
        "'to' must be a user name or an array of them, got a number");
  CHECK(refusal(R"({"to":"a","ttl":"60"})").message ==
        "'ttl' must be a number of seconds, got a string");
}

TEST_CASE("a known member given twice is refused, whatever is in it") {
  for (const auto body :
       {R"({"to":"a","to":"b"})", R"({"to":["a"],"to":["b",[1]]})", R"({"to":"a","t\u006f":"a"})",
        R"({"to":"a","data":1,"data":2})", R"({"to":"a","data":[1,{}],"data":{"a":[2]}})",
        R"({"to":"a","type":"x","type":"x"})", R"({"to":"a","ttl":1,"ttl":1})"}) {
    CAPTURE(body);
    CHECK(refusal(body).code == Code::bad_envelope);
  }
  CHECK(refusal(R"({"to":"a","data":1,"data":2})").message ==
        "an envelope may have only one 'data'");
}

TEST_CASE("a bad type and a bad life have codes of their own") {
  for (const auto type : {"", "\\n", "\\u0000", "a\\u007fb"}) {
    CHECK(refusal("{\"to\":\"a\",\"type\":\"" + std::string(type) + "\"}").code == Code::bad_type);
  }
  CHECK(refusal("{\"to\":\"a\",\"type\":\"" + std::string(65, 'x') + "\"}").code == Code::bad_type);
  for (const std::string ttl :
       {"0", "-1", "0.0", "1e3", "1e999", "1234567890", "-0", "99999999999999999999"}) {
    CHECK(refusal("{\"to\":\"a\",\"ttl\":" + ttl + "}").code == Code::bad_ttl);
  }
  CHECK(refusal("{\"to\":\"a\",\"ttl\":" + std::string(200'000, '9') + "}").code == Code::bad_ttl);
  CHECK(single(R"({"to":"a","ttl":0.5})")->ttl_ms == 500);
}

TEST_CASE("the first of several faults is told, and a fault hides no later item") {
  CHECK(refusal(R"({"type":"","ttl":0})").code == Code::bad_type);
  const Envelopes batch = envelopes(R"([{"to":"a","ttl":0,"data":[{}]},{"to":"b","data":{}}])");
  REQUIRE(batch.items.size() == 2);
  CHECK_FALSE(batch.items[0]);
  CHECK(batch.items[1]->data == "{}");
}

TEST_CASE("a body that is no JSON is refused as a whole, whatever comes before the fault") {
  const std::string deep(10'000, '[');
  for (const std::string& body :
       {""s, "{"s, R"([{"to":"a"},)"s, R"({"to":"a"}x)"s, R"({"to":"a","data":"\udc00"})"s,
        "{\"to\":\"\xFF\"}"s, "{\"to\":\"a\"}\0"s, R"({"to":"a","data":)" + deep,
        R"({"to":)" + deep, R"([{"to":5},{"to":"a","ttl":01}])"s}) {
    CAPTURE(body.substr(0, 60));
    const auto parsed = parse_envelopes(body);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Code::bad_json);
  }
}

TEST_CASE("an envelope cut short at any byte is no JSON") {
  const std::string whole =
      R"([{"to":["alice","b\u00f6b"],"type":"mail","data":{"n":-12.5e+3,"t":[true,null]},"ttl":60}])";
  REQUIRE(parse_envelopes(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto parsed = parse_envelopes(whole.substr(0, size));
    REQUIRE_FALSE(parsed);
    REQUIRE(parsed.error().code == Code::bad_json);
  }
}

TEST_CASE("an envelope with any byte changed is read or refused, and nothing else happens") {
  const std::string whole = R"([{"to":["a",""],"type":"x","data":{"n":[1]},"ttl":6},{"to":"b"}])";
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = whole;
      changed[at] = static_cast<char>(byte);
      const auto parsed = parse_envelopes(changed);
      REQUIRE((parsed || parsed.error().code == Code::bad_json));
    }
  }
}

TEST_CASE("a large batch is read") {
  std::string body = "[";
  for (int i = 0; i < 10'000; ++i) {
    const std::string number = std::to_string(i);
    body.append(R"({"to":"u)").append(number).append(R"(","data":)").append(number).append("},");
  }
  body.back() = ']';
  const Envelopes batch = envelopes(body);
  REQUIRE(batch.items.size() == 10'000);
  CHECK(batch.items[9'999]->to == Names{"u9999"});
  CHECK(batch.items[9'999]->data == "9999");
}

}  // namespace
}  // namespace letterbox
