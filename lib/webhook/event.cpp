// SPDX-License-Identifier: MIT
#include "webhook/event.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <ctime>

#include "base/limits.h"
#include "base/text.h"

namespace letterbox {

namespace {

// When the message was pushed; 0 if the body does not say.
uint64_t time_of(std::string_view body) {
  constexpr std::string_view kTime = R"(,"time":)";
  const size_t at = body.rfind(kTime);
  if (at == std::string_view::npos) return 0;
  body.remove_prefix(at + kTime.size());
  return parse_u64(body.substr(0, body.find('}'))).value_or(0);
}

}  // namespace

std::string webhook_id(std::string_view user, const Cursor& id) {
  std::string text(user);
  std::replace(text.begin(), text.end(), '.', '~');
  return text + '/' + id.text();
}

std::string unheard_event(std::string_view user, const Cursor& id, std::string_view body,
                          uint64_t after_ms) {
  assert(body.starts_with('{'));
  std::string event = R"({"type":"message.unheard","timestamp":")";
  event += iso_time(time_of(body) + after_ms);
  event += R"(","data":{"user":")";
  event += user;  // no character of a name needs an escape
  event += R"(","id":")";
  id.append_to(event);
  event += R"(",)";
  event += body.substr(1);
  event += '}';
  return event;
}

std::string iso_time(uint64_t ms_since_1970) {
  const auto seconds = static_cast<time_t>(ms_since_1970 / kSecondMs);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char date[32];
  const size_t size = std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  char ms[8];
  std::snprintf(ms, sizeof ms, ".%03uZ", static_cast<unsigned>(ms_since_1970 % kSecondMs));
  return std::string(date, size) + ms;
}

}  // namespace letterbox
