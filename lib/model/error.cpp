// SPDX-License-Identifier: MIT
#include "model/error.h"

#include <array>

#include "base/random.h"
#include "base/text.h"
#include "model/json_writer.h"

namespace letterbox {
namespace {

// In the order of Code.
constexpr std::array kCodes = {
    CodeInfo{"bad_user", 400, true},
    CodeInfo{"bad_client", 400, true},
    CodeInfo{"bad_group", 400, true},
    CodeInfo{"bad_timeout", 400, true},
    CodeInfo{"bad_limit", 400, true},
    CodeInfo{"bad_type", 400, true},
    CodeInfo{"bad_ttl", 400, true},
    CodeInfo{"bad_collapse", 400, true},
    CodeInfo{"bad_idempotency_key", 400, true},
    CodeInfo{"bad_time", 400, true},
    CodeInfo{"bad_encoding", 400, true},
    CodeInfo{"bad_json", 400, true},
    CodeInfo{"bad_envelope", 400, true},
    CodeInfo{"missing_to", 400, true},
    CodeInfo{"missing_user", 400, true},
    CodeInfo{"missing_body", 400, true},
    CodeInfo{"repeated_parameter", 400, true},
    CodeInfo{"too_many_recipients", 400, true},
    CodeInfo{"bad_request", 400, true},
    CodeInfo{"no_identity", 401, true},
    CodeInfo{"bad_token", 401, true},
    CodeInfo{"bad_key", 401, true},
    CodeInfo{"kicked", 403, true},
    CodeInfo{"locked", 403, true},
    CodeInfo{"other_client", 403, true},
    CodeInfo{"cross_site", 403, true},
    CodeInfo{"forwarded", 403, true},
    CodeInfo{"wrong_scope", 403, true},
    CodeInfo{"unknown_route", 404, true},
    CodeInfo{"wrong_method", 405, true},
    CodeInfo{"group_full", 409, true},
    CodeInfo{"key_reused", 409, true},
    CodeInfo{"schedule_full", 409, true},
    CodeInfo{"broken_data", 409, true},
    CodeInfo{"too_large", 413, true},
    CodeInfo{"too_many_clients", 429, false},
    CodeInfo{"too_fast", 429, false},
    CodeInfo{"head_too_large", 431, true},
    CodeInfo{"internal", 500, false},
    CodeInfo{"store_unavailable", 503, false},
    CodeInfo{"overloaded", 503, false},
    CodeInfo{"not_ready", 503, false},
    CodeInfo{"unhealthy", 503, false},
};
static_assert(kCodes.size() == static_cast<size_t>(Code::unhealthy) + 1);

}  // namespace

const CodeInfo& info(Code code) { return kCodes.at(static_cast<size_t>(code)); }

Error too_many_clients() {
  return {Code::too_many_clients, "as many clients of this user are waiting as may be",
          static_cast<int>(5000 + random_below(5000))};
}

Error store_unavailable(std::string_view why) {
  return {Code::store_unavailable, std::string(why), static_cast<int>(1000 + random_below(1000))};
}

Error bad_collapse() {
  return {Code::bad_collapse, "collapse must be 1 to 64 characters of A-Z a-z 0-9 . _ - @ : +"};
}

Error bad_idempotency_key() {
  return {Code::bad_idempotency_key,
          "an Idempotency-Key must be 1 to 128 printable ASCII characters"};
}

Error broken_data(std::string_view what) {
  return {Code::broken_data, "what Redis holds is broken: " + std::string(what)};
}

std::string error_json(const Error& error) {
  const CodeInfo& code = info(error.code);
  JsonWriter json;
  json.begin_object().key("error").begin_object();
  json.key("code").string(code.name);
  json.key("message").string(utf8_lossy(error.message));
  json.key("terminal").boolean(code.terminal);
  json.key("retry_after_ms").number(error.retry_after_ms);
  json.end_object().end_object();
  return json.take();
}

}  // namespace letterbox
