// SPDX-License-Identifier: MIT
#include "requests/origins.h"

#include <algorithm>

namespace letterbox {
namespace {

// A browser remembers a preflight for 7200 s, the most that Chromium allows.
constexpr std::string_view kPreflight =
    "Access-Control-Allow-Methods: GET, POST\r\n"
    "Access-Control-Allow-Headers: Authorization, Last-Event-ID\r\n"
    "Access-Control-Max-Age: 7200\r\n";

constexpr std::string_view kMark = "://";  // between scheme and host

std::string headers_for(std::string_view origin) {
  return "Access-Control-Allow-Origin: " + std::string(origin) +
         "\r\n"
         "Access-Control-Allow-Credentials: true\r\n"
         "Access-Control-Expose-Headers: Retry-After\r\n"
         "Vary: Origin\r\n";
}

// True if the text is an origin as browsers write it: a scheme, a host, and a port if it is not the
// usual one. The letters are small, and there is no path.
bool is_origin(std::string_view text) {
  const size_t mark = text.find(kMark);
  if (mark == 0 || mark == std::string_view::npos) return false;
  const std::string_view host = text.substr(mark + kMark.size());
  return !host.empty() && std::all_of(text.begin(), text.begin() + mark, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.';
  }) && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("-._:[]").find(c) != std::string_view::npos;
  });
}

}  // namespace

Result<Origins, std::string> Origins::parse(std::string_view list) {
  Origins origins;
  while (!list.empty()) {
    const std::string_view origin = list.substr(0, list.find(','));
    list.remove_prefix(std::min(origin.size() + 1, list.size()));
    if (!is_origin(origin)) {
      return "an origin is like https://site.example or https://site.example:8443, not '" +
             std::string(origin) + "'";
    }
    origins.headers_.emplace(origin, std::make_shared<const std::string>(headers_for(origin)));
  }
  return origins;
}

bool Origins::admits(const Request& request, Answer& answer) const {
  const auto named = headers_.find(request.origin);
  if (named == headers_.end()) return true;
  answer.carry(named->second);
  if (request.method != "OPTIONS") return true;
  answer.send({.status = 204, .body = "", .headers = std::string(kPreflight)});
  return false;
}

bool is_cross_site(const Request& request) { return request.fetch_site == "cross-site"; }

// Browsers write the host alike in both headers: in small letters, and without a port if it is the
// usual one of the scheme. `null` has no host.
bool is_cross_origin(const Request& request) {
  if (request.origin.empty()) return false;
  const size_t mark = request.origin.find(kMark);
  return mark == std::string_view::npos ||
         request.origin.substr(mark + kMark.size()) != request.host;
}

}  // namespace letterbox
