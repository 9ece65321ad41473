// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "waiting/ending.h"

namespace letterbox {
namespace {

TEST_CASE("an answer with messages is one JSON document on a line") {
  Ending ending;
  ending.reason = Reason::messages;
  ending.count = 2;
  ending.messages =
      R"({"id":"5-6","type":"a","data":1,"time":7},{"id":"5-7","type":"a","data":2,"time":8})";
  ending.cursor = {5, 7};
  ending.missed = 3;
  CHECK(to_json(ending) ==
        R"({"count":2,"messages":[{"id":"5-6","type":"a","data":1,"time":7},)"
        R"({"id":"5-7","type":"a","data":2,"time":8}],"cursor":"5-7","missed":3,"reset":false,)"
        "\"reason\":\"messages\",\"retry_after_ms\":0}\n");
}

TEST_CASE("a single message is given as its body, its id is the cursor") {
  Ending ending;
  ending.reason = Reason::messages;
  ending.count = 1;
  ending.single = R"({"type":"mail","data":{"from":"bob"},"time":1795287660456})";
  ending.cursor = {1795287654123, 7};
  CHECK(to_json(ending) ==
        R"({"count":1,"messages":[{"id":"1795287654123-7","type":"mail","data":{"from":"bob"},)"
        R"("time":1795287660456}],"cursor":"1795287654123-7","missed":0,"reset":false,)"
        "\"reason\":\"messages\",\"retry_after_ms\":0}\n");
}

TEST_CASE("an answer without messages has the cursor, 0 where there is no mailbox") {
  CHECK(to_json({.cursor = {5, 7}, .retry_after_ms = 250}) ==
        R"({"count":0,"messages":[],"cursor":"5-7","missed":0,"reset":false,"reason":"timeout",)"
        "\"retry_after_ms\":250}\n");
  CHECK(to_json({.reason = Reason::shutdown, .missed = UINT64_MAX, .reset = true}) ==
        R"({"count":0,"messages":[],"cursor":"0","missed":18446744073709551615,"reset":true,)"
        "\"reason\":\"shutdown\",\"retry_after_ms\":0}\n");
}

TEST_CASE("each reason has the name of the contract") {
  CHECK(name(Reason::messages) == "messages");
  CHECK(name(Reason::timeout) == "timeout");
  CHECK(name(Reason::superseded) == "superseded");
  CHECK(name(Reason::shutdown) == "shutdown");
  CHECK(name(Reason::kicked) == "kicked");
  CHECK(name(Reason::gone) == "gone");
  CHECK(name(Reason::error) == "error");
}

}  // namespace
}  // namespace letterbox
