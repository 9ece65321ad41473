// SPDX-License-Identifier: MIT
#include "handlers/users.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "handlers/parameters.h"
#include "handlers/reply.h"
#include "model/json.h"
#include "model/names.h"

namespace letterbox {

namespace {

// A user's name, or (where it may be) the beginning of one. None: it was not given.
Or<std::optional<std::string_view>> read_name(const Query& query, std::string_view parameter) {
  auto name = query.single(parameter);
  if (!name || !*name || valid_user(**name)) return name;
  return Error{Code::bad_user,
               std::string(parameter) + " must be 1 to 128 of A-Z a-z 0-9 . _ - @ : +"};
}

// The same of one that may be left empty.
Or<std::string> read_part(const Query& query, std::string_view parameter) {
  const auto text = query.single(parameter);
  if (text && text->value_or("").empty()) return std::string();
  const auto name = read_name(query, parameter);
  if (!name) return name.error();
  return std::string(**name);
}

Or<PresenceQuestion> read_question(const Query& query) {
  auto prefix = read_part(query, "prefix");
  if (!prefix) return prefix.error();
  auto after = read_after(query);
  if (!after) return after.error();
  const auto limit = read_limit(query);
  if (!limit) return limit.error();
  return PresenceQuestion{std::move(*prefix), std::move(*after), *limit};
}

// Within an object that its caller has begun.
void write_user(JsonWriter& json, const PresentUser& user) {
  json.key("last_activity").number_or_null(user.last_ms);
  json.key("until").number_or_null(user.until_ms);
  json.key("clients").begin_array();
  for (const auto& client : user.clients) {
    json.begin_object().key("client").string(client.name);
    json.key("last_activity").number(static_cast<int64_t>(client.last_ms));
    json.key("address").string(client.address);
    json.key("agent").string(client.agent).end_object();
  }
  json.end_array();
}

std::string to_json(const PresencePage& page) {
  JsonWriter json;
  json.begin_object().key("online").number(static_cast<int64_t>(page.online));
  json.key("users").begin_array();
  for (const auto& user : page.users) {
    json.begin_object().key("user").string(user.name);
    write_user(json, user);
    json.end_object();
  }
  json.end_array().key("next").string_or_null(next_text(page.next)).end_object();
  return json.take() + "\n";
}

std::string to_json(const PresentUser& user, const Standing& standing) {
  JsonWriter json;
  json.begin_object().key("user").string(user.name);
  json.key("online").boolean(user.until_ms != 0);
  write_user(json, user);
  json.key("locked");
  if (standing.locked) {
    json.begin_object().key("since").number(static_cast<int64_t>(standing.locked->since_ms));
    json.key("reason").string(standing.locked->reason).end_object();
  } else {
    json.null();
  }
  json.end_object();
  return json.take() + "\n";
}

}  // namespace

UsersHandler::UsersHandler(PresenceStore& presence, Access& access)
    : presence_(presence), access_(access) {}

void UsersHandler::view(const Query& query, Answer answer) const {
  const auto user = read_name(query, "user");
  if (!user) return refuse(answer, user.error());
  if (*user) {
    view_one(std::string(**user), std::move(answer));
    return;
  }
  const auto question = read_question(query);
  if (!question) return refuse(answer, question.error());
  presence_.page(*question, answering(std::move(answer),
                                      [](const PresencePage& page) { return to_json(page); }));
}

void UsersHandler::view_one(const std::string& user, Answer answer) const {
  // std::function wants to be copied; the answer can't be.
  auto owed = std::make_shared<Answer>(std::move(answer));
  presence_.user(user, [this, owed, user](const Or<PresentUser>& found) {
    if (!found) return refuse(*owed, found.error());
    access_.standing(user,
                     answering(std::move(*owed), [present = *found](const Standing& standing) {
                       return to_json(present, standing);
                     }));
  });
}

}  // namespace letterbox
