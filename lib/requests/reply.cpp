// SPDX-License-Identifier: MIT
#include "requests/reply.h"

#include <algorithm>

namespace letterbox {

std::string retry_after(int ms) {
  return "Retry-After: " + std::to_string(std::max(1, (ms + 999) / 1000)) + "\r\n";
}

Error bad_user() { return {Code::bad_user, "a user name is 1 to 128 of A-Z a-z 0-9 . _ - @ : +"}; }

Error bad_client() {
  return {Code::bad_client, "a client name is 1 to 64 of A-Z a-z 0-9 . _ - @ : +"};
}

Error bad_group() {
  return {Code::bad_group, "a group name is 1 to 64 of A-Z a-z 0-9 . _ - @ : +"};
}

Error body_too_large() { return {Code::too_large, "the body is longer than this server takes"}; }

Response to_response(const Error& error) {
  Response response{info(error.code).status, error_json(error) + "\n"};
  if (error.retry_after_ms > 0) response.headers += retry_after(error.retry_after_ms);
  if (response.status == 401) response.headers += "WWW-Authenticate: Bearer\r\n";
  return response;
}

}  // namespace letterbox
