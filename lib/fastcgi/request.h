// SPDX-License-Identifier: MIT
//
// One HTTP request as nginx hands it over in FastCGI parameters (nginx/pass-public.conf and
// pass-push.conf name them). The views live only as long as the call that gets the request:
// handlers take what they need.
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

  // The identity that nginx vouches for; empty where it set none. A client can't reach it: its own
  // headers arrive as HTTP_*.
  std::string_view mailbox_user;  // MAILBOX_USER

  std::string_view authorization;  // HTTP_AUTHORIZATION
  std::string_view cookie;         // HTTP_COOKIE
  std::string_view last_event_id;  // HTTP_LAST_EVENT_ID
  std::string_view user_agent;     // HTTP_USER_AGENT
  std::string_view origin;         // HTTP_ORIGIN
  std::string_view fetch_site;     // HTTP_SEC_FETCH_SITE
  std::string_view host;           // HTTP_HOST

  std::string body;
  // The parameters were longer than kParamsMax: none of them is here.
  bool head_too_large = false;
  // The body was longer than the switchboard's limit: it was read to its end and dropped.
  bool body_too_large = false;
};

}  // namespace letterbox
