// SPDX-License-Identifier: MIT
#include "handlers/scheduled.h"

#include <string>
#include <utility>

#include "model/json_writer.h"
#include "model/message.h"
#include "model/scheduled_id.h"
#include "requests/parameters.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

Error no_id(std::string_view parameter) {
  return {Code::bad_request,
          std::string(parameter) + " must be the id of a scheduled message, as POST /push gave it"};
}

// after= in the query: an id of this user's; empty: the page begins at the first message.
Or<std::string> read_after_id(const Query& query, std::string_view user) {
  const auto after = query.single("after");
  if (!after) return after.error();
  if (after->value_or("").empty()) return std::string();
  const auto id = ScheduledId::parse(**after);
  if (!id || id->user != user) return no_id("after");
  return id->text();
}

std::string to_json(std::string_view user, const ScheduledPage& page) {
  JsonWriter json;
  json.begin_object().key("user").string(user).key("scheduled").begin_array();
  for (const auto& [id, at_ms, message] : page.entries) {
    const auto element = parse_element(message.element);
    const BodyParts parts = element ? parts_of(element->body) : BodyParts{};
    json.begin_object().key("id").string(id);
    json.key("at").number(static_cast<int64_t>(at_ms));
    json.key("type").raw(parts.type.empty() ? "null" : parts.type);
    json.key("data").raw(parts.data.empty() ? "null" : parts.data).end_object();
  }
  json.end_array().key("next").string_or_null(page.next).end_object();
  return json.take() + "\n";
}

}  // namespace

void ScheduledHandler::view(const Query& query, Answer answer) const {
  const auto user = named_user(query);
  if (!user) return refuse(answer, user.error());
  const auto limit = read_limit(query);
  if (!limit) return refuse(answer, limit.error());
  const auto after = read_after_id(query, *user);
  if (!after) return refuse(answer, after.error());
  calendar_.view(*user, *after, *limit,
                 answering(std::move(answer), [name = *user](const ScheduledPage& page) {
                   return to_json(name, page);
                 }));
}

void ScheduledHandler::cancel(const Query& query, Answer answer) const {
  const auto id = query.single("id");
  if (!id) return refuse(answer, id.error());
  if (!*id || !ScheduledId::parse(**id)) return refuse(answer, no_id("id"));
  calendar_.cancel(**id, answering(std::move(answer), [](bool cancelled) {
    return cancelled ? "{\"cancelled\":true}\n" : "{\"cancelled\":false}\n";
  }));
}

}  // namespace letterbox
