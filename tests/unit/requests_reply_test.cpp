// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "requests/reply.h"

namespace letterbox {
namespace {

TEST_CASE("an error becomes its status and its document") {
  const auto response = to_response({Code::bad_limit, "limit must be a number"});
  CHECK(response.status == 400);
  CHECK(response.content_type == "application/json");
  CHECK(response.headers.empty());
  CHECK(response.body == R"({"error":{"code":"bad_limit","message":"limit must be a number",)"
                         R"("terminal":true,"retry_after_ms":0}})"
                         "\n");
}

TEST_CASE("a passing error says when to come back, in whole seconds, rounded up") {
  CHECK(to_response({Code::store_unavailable, "", 1500}).headers == "Retry-After: 2\r\n");
  CHECK(to_response({Code::overloaded, "", 1}).headers == "Retry-After: 1\r\n");
  CHECK(retry_after(1000) == "Retry-After: 1\r\n");
  CHECK(retry_after(1001) == "Retry-After: 2\r\n");
  CHECK(retry_after(0) == "Retry-After: 1\r\n");
}

TEST_CASE("401 says how to authenticate") {
  CHECK(to_response({Code::no_identity, ""}).headers == "WWW-Authenticate: Bearer\r\n");
}

}  // namespace
}  // namespace letterbox
