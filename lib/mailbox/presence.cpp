// SPDX-License-Identifier: MIT
#include "mailbox/presence.h"

#include "base/text.h"
#include "model/names.h"

namespace letterbox {

std::optional<PresenceEvent> parse_presence_event(std::string_view text) {
  constexpr std::string_view kOnline = "online ";
  constexpr std::string_view kOffline = "offline ";
  PresenceEvent event;
  event.online = text.starts_with(kOnline);
  if (!event.online && !text.starts_with(kOffline)) return std::nullopt;
  text.remove_prefix(event.online ? kOnline.size() : kOffline.size());
  const size_t blank = text.find(' ');
  const auto time = parse_u64(text.substr(0, blank));
  if (!time || blank == std::string_view::npos) return std::nullopt;
  event.time_ms = *time;
  event.user = text.substr(blank + 1);
  if (!valid_user(event.user)) return std::nullopt;
  return event;
}

}  // namespace letterbox
