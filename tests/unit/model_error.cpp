// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <set>

#include "model/error.h"

namespace letterbox {
namespace {

TEST_CASE("each code has the name and status of the contract") {
  struct Row {
    std::string_view name;
    int status;
    Code code;
  };
  constexpr Row kContract[] = {
      {"bad_user", 400, Code::bad_user},
      {"bad_client", 400, Code::bad_client},
      {"bad_timeout", 400, Code::bad_timeout},
      {"bad_limit", 400, Code::bad_limit},
      {"bad_type", 400, Code::bad_type},
      {"bad_ttl", 400, Code::bad_ttl},
      {"bad_encoding", 400, Code::bad_encoding},
      {"bad_json", 400, Code::bad_json},
      {"bad_envelope", 400, Code::bad_envelope},
      {"missing_to", 400, Code::missing_to},
      {"missing_user", 400, Code::missing_user},
      {"missing_body", 400, Code::missing_body},
      {"repeated_parameter", 400, Code::repeated_parameter},
      {"too_many_recipients", 400, Code::too_many_recipients},
      {"bad_request", 400, Code::bad_request},
      {"no_identity", 401, Code::no_identity},
      {"bad_token", 401, Code::bad_token},
      {"bad_key", 401, Code::bad_key},
      {"kicked", 403, Code::kicked},
      {"locked", 403, Code::locked},
      {"other_client", 403, Code::other_client},
      {"cross_site", 403, Code::cross_site},
      {"forwarded", 403, Code::forwarded},
      {"unknown_route", 404, Code::unknown_route},
      {"wrong_method", 405, Code::wrong_method},
      {"group_full", 409, Code::group_full},
      {"broken_data", 409, Code::broken_data},
      {"too_large", 413, Code::too_large},
      {"too_many_clients", 429, Code::too_many_clients},
      {"too_fast", 429, Code::too_fast},
      {"head_too_large", 431, Code::head_too_large},
      {"internal", 500, Code::internal},
      {"store_unavailable", 503, Code::store_unavailable},
      {"overloaded", 503, Code::overloaded},
      {"not_ready", 503, Code::not_ready},
      {"unhealthy", 503, Code::unhealthy},
  };
  std::set<std::string_view> names;
  for (const Row& row : kContract) {
    CHECK(info(row.code).name == row.name);
    CHECK(info(row.code).status == row.status);
    CHECK(info(row.code).terminal == (row.status < 500 && row.status != 429));
    names.insert(row.name);
  }
  CHECK(names.size() == std::size(kContract));
}

TEST_CASE("an error document says code, message, whether it is terminal, and when to come back") {
  CHECK(error_json({Code::bad_timeout, "timeout must be a number from 0 to 50, got 'abc'"}) ==
        R"({"error":{"code":"bad_timeout","message":"timeout must be a number from 0 to 50, )"
        R"(got 'abc'","terminal":true,"retry_after_ms":0}})");
  CHECK(error_json({Code::store_unavailable, "Redis is away", 1500}) ==
        R"({"error":{"code":"store_unavailable","message":"Redis is away","terminal":false,)"
        R"("retry_after_ms":1500}})");
}

TEST_CASE("clients of a store that is away come back at different times") {
  std::set<int> retries;
  for (int i = 0; i < 100; ++i) {
    const Error error = store_unavailable("why");
    CHECK(error.code == Code::store_unavailable);
    CHECK(error.message == "why");
    CHECK(error.retry_after_ms >= 1000);
    CHECK(error.retry_after_ms < 2000);
    retries.insert(error.retry_after_ms);
  }
  CHECK(retries.size() > 1);
}

TEST_CASE("whatever bytes a message repeats, the document stays JSON") {
  CHECK(error_json({Code::bad_user, std::string("\"\\\n\0\xFF", 5)}) ==
        "{\"error\":{\"code\":\"bad_user\",\"message\":\"\\\"\\\\\\n\\u0000\xEF\xBF\xBD\","
        "\"terminal\":true,\"retry_after_ms\":0}}");
}

}  // namespace
}  // namespace letterbox
