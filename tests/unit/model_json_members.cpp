// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "model/json_members.h"

namespace letterbox {
namespace {

using Kind = JsonMember::Kind;

TEST_CASE("the members of an object are found, whatever is around and in them") {
  const auto members = json_members(
      R"( {"a":"x\u00e9","n":-1.5e3,"list":["p","q"],"none":[],"mixed":["p",1],"deep":[["p"]],)"
      R"("o":{"a":"inner","list":["z"]},"t":true,"null":null} )");
  REQUIRE(members);
  CHECK(members->size() == 9);
  CHECK(members->at("a").kind == Kind::string);
  CHECK(members->at("a").text == "xé");
  CHECK(members->at("n").kind == Kind::number);
  CHECK(members->at("n").text == "-1.5e3");
  CHECK(members->at("list").kind == Kind::strings);
  CHECK(members->at("list").strings == std::vector<std::string>{"p", "q"});
  CHECK(members->at("none").kind == Kind::strings);
  for (const auto other : {"mixed", "deep", "o", "t", "null"}) {
    CAPTURE(other);
    CHECK(members->at(other).kind == Kind::other);
  }
  CHECK(json_members("{}")->empty());
}

TEST_CASE("each member is kept as JSON, without white space, whatever it is") {
  const auto members = json_members(
      R"({ "a" : "x\u00e9\n", "n" : -1.50e3, "l" : [ "p", [ 1 , { "q" : null } ] , [ ] ],)"
      R"( "o" : { "a" : { } , "b" : [ true, false ] }, "t" : true, "null" : null, "s" : [ "p" ] })");
  REQUIRE(members);
  CHECK(members->at("a").json == R"("xé\n")");
  CHECK(members->at("n").json == "-1.50e3");
  CHECK(members->at("l").json == R"(["p",[1,{"q":null}],[]])");
  CHECK(members->at("o").json == R"({"a":{},"b":[true,false]})");
  CHECK(members->at("t").json == "true");
  CHECK(members->at("null").json == "null");
  CHECK(members->at("s").json == R"(["p"])");
}

TEST_CASE("a text that is no JSON has no members") {
  for (const auto bad :
       {"", "{", R"({"a":1}{})", "{'a':1}", R"({"a":1,})", "nul", "{\"a\":\"\xff\"}"}) {
    CAPTURE(bad);
    const auto members = json_members(bad);
    REQUIRE_FALSE(members);
    CHECK(members.error().code == Code::bad_json);
  }
}

TEST_CASE("a value that is no object has no members, nor has an object with a name twice") {
  for (const auto bad : {"1", "null", R"("a")", "[]", R"([{"a":1}])", R"({"a":1,"a":1})",
                         R"({"a":1,"\u0061":2})", R"({"a":{"b":1},"b":1,"a":[]})"}) {
    CAPTURE(bad);
    const auto members = json_members(bad);
    REQUIRE_FALSE(members);
    CHECK(members.error().code == Code::bad_request);
  }
  CHECK(json_members(R"({"a":{"b":1},"b":{"b":1}})"));
}

}  // namespace
}  // namespace letterbox
