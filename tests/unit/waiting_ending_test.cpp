// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>
#include <string>

#include "waiting/ending.h"

namespace letterbox {
namespace {

TEST_CASE("an answer with messages is one JSON document on a line") {
  const std::array<Message, 2> messages{{{{5, 6}, R"({"type":"a","data":1,"time":7})"},
                                         {{5, 7}, R"({"type":"a","data":2,"time":8})"}}};
  Ending ending;
  ending.reason = Reason::messages;
  ending.given = {.messages = messages, .cursor = {5, 7}, .missed = 3, .collapsed = 4};
  CHECK(to_json(ending) ==
        R"({"count":2,"messages":[{"id":"5-6","type":"a","data":1,"time":7},)"
        R"({"id":"5-7","type":"a","data":2,"time":8}],"cursor":"5-7","missed":3,"reset":false,)"
        "\"reason\":\"messages\",\"retry_after_ms\":0,\"collapsed\":4}\n");
}

TEST_CASE("an answer without messages has the cursor, 0 if there is no mailbox") {
  CHECK(to_json({.given = {.cursor = {5, 7}}, .retry_after_ms = 250}) ==
        R"({"count":0,"messages":[],"cursor":"5-7","missed":0,"reset":false,"reason":"timeout",)"
        "\"retry_after_ms\":250,\"collapsed\":0}\n");
  CHECK(to_json({.reason = Reason::shutdown, .given = {.missed = UINT64_MAX, .reset = true}}) ==
        R"({"count":0,"messages":[],"cursor":"0","missed":18446744073709551615,"reset":true,)"
        "\"reason\":\"shutdown\",\"retry_after_ms\":0,\"collapsed\":0}\n");
}

TEST_CASE("each reason has the contract's name") {
  CHECK(name(Reason::messages) == "messages");
  CHECK(name(Reason::timeout) == "timeout");
  CHECK(name(Reason::superseded) == "superseded");
  CHECK(name(Reason::shutdown) == "shutdown");
  CHECK(name(Reason::kicked) == "kicked");
  CHECK(name(Reason::slow) == "slow");
  CHECK(name(Reason::gone) == "gone");
  CHECK(name(Reason::error) == "error");
}

}  // namespace
}  // namespace letterbox
