// SPDX-License-Identifier: MIT
//
// One HTTP request as nginx passes it in FastCGI parameters (nginx/pass-public.conf and
// pass-push.conf name them). The views are valid only during the call that gets the request:
// handlers copy what they need.
#pragma once

#include <string>
#include <string_view>

namespace letterbox {

struct Request {
  std::string_view method;        // REQUEST_METHOD
  std::string_view path;          // PATH_INFO, which routes
  std::string_view query;         // QUERY_STRING, still encoded
  std::string_view content_type;  // CONTENT_TYPE
  std::string_view remote_addr;   // REMOTE_ADDR

  // The user that nginx vouches for; empty if nginx set none. A client can't set it: headers of the
  // client arrive as HTTP_*.
  std::string_view mailbox_user;  // MAILBOX_USER

  std::string_view authorization;    // HTTP_AUTHORIZATION
  std::string_view cookie;           // HTTP_COOKIE
  std::string_view last_event_id;    // HTTP_LAST_EVENT_ID
  std::string_view user_agent;       // HTTP_USER_AGENT
  std::string_view origin;           // HTTP_ORIGIN
  std::string_view fetch_site;       // HTTP_SEC_FETCH_SITE
  std::string_view host;             // HTTP_HOST
  std::string_view idempotency_key;  // HTTP_IDEMPOTENCY_KEY

  // Not empty if a proxy before nginx has forwarded the request, so that it may be from anywhere.
  // A client can't reach it either.
  std::string_view forwarded;  // LETTERBOX_FORWARDED

  std::string body;
  // The parameters were longer than kParamsBytes: none of them is here.
  bool head_too_large = false;
  // The body was longer than the switchboard's limit; it was read to its end and dropped.
  bool body_too_large = false;
};

}  // namespace letterbox
