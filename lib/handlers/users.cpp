// SPDX-License-Identifier: MIT
#include "handlers/users.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "model/json.h"
#include "model/names.h"
#include "requests/parameters.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

constexpr std::string_view kPrefix = "/users/";

// A parameter that is a user's name or the beginning of one; none if it is not given.
Or<std::optional<std::string_view>> read_name(const Query& query, std::string_view parameter) {
  auto name = query.single(parameter);
  if (!name || !*name || valid_user(**name)) return name;
  return Error{Code::bad_user,
               std::string(parameter) + " must be 1 to 128 of A-Z a-z 0-9 . _ - @ : +"};
}

// The same for a parameter that may be empty.
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

// Writes members into an object that the caller has begun.
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

// Writes a member. (An administrator may have put any text into Redis by hand.)
void write_groups(JsonWriter& json, const std::vector<std::string>& groups) {
  json.key("groups").begin_array();
  for (const auto& group : groups) json.string(utf8_lossy(group));
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

std::string to_json(const PresentUser& user, const Standing& standing,
                    const std::vector<std::string>& groups) {
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
  write_groups(json, groups);
  return json.end_object().take() + "\n";
}

std::string to_json(std::string_view user, const Erased& erased) {
  JsonWriter json;
  json.begin_object().key("user").string(user).key("erased").boolean(true);
  json.key("messages").number(static_cast<int64_t>(erased.messages));
  json.key("tokens").number(static_cast<int64_t>(erased.tokens));
  json.key("scheduled").number(static_cast<int64_t>(erased.scheduled));
  write_groups(json, erased.groups);
  json.key("standing").boolean(erased.standing).key("presence").boolean(erased.presence);
  return json.end_object().take() + "\n";
}

}  // namespace

UsersHandler::UsersHandler(PresenceStore& presence, Access& access, Groups& groups, Eraser& eraser)
    : presence_(presence), access_(access), groups_(groups), eraser_(eraser) {}

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

void UsersHandler::erase(const Request& request, Answer answer) const {
  const std::string user(request.path.substr(kPrefix.size()));
  if (!valid_user(user)) return refuse(answer, bad_user());
  eraser_.erase(user, answering(std::move(answer),
                                [user](const Erased& erased) { return to_json(user, erased); }));
}

void UsersHandler::view_one(const std::string& user, Answer answer) const {
  presence_.user(user, [this, owed = std::move(answer),
                        user](const Or<PresentUser>& found) mutable {
    if (!found) return refuse(owed, found.error());
    access_.standing(user, [this, owed = std::move(owed), user,
                            present = *found](const Or<Standing>& standing) mutable {
      if (!standing) return refuse(owed, standing.error());
      groups_.groups_of(
          user, answering(std::move(owed),
                          [present, standing = *standing](const std::vector<std::string>& groups) {
                            return to_json(present, standing, groups);
                          }));
    });
  });
}

}  // namespace letterbox
