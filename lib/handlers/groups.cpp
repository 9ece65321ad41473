// SPDX-License-Identifier: MIT
#include "handlers/groups.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "model/json_strings.h"
#include "model/json_writer.h"
#include "model/names.h"
#include "requests/mail.h"
#include "requests/parameters.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

constexpr std::string_view kPrefix = "/groups/";

struct Place {
  std::string group;
  std::string user;  // empty if the path ends with the group
};

Or<void> check_member(const std::string& user) {
  if (Recipient::parse(user).kind == Recipient::Kind::user) return {};
  if (!valid_user(user)) return bad_user();
  // A push to such a name never reaches a user.
  return Error{Code::bad_user, "a member is a user, so its name can't begin with 'group:'"};
}

// Reads the group and the user from the path. The router has checked that the path has these parts.
Or<Place> place_of(const Request& request) {
  const std::string_view parts = request.path.substr(kPrefix.size());
  const size_t slash = parts.find('/');
  Place place{std::string(parts.substr(0, slash)), {}};
  if (!valid_group(place.group)) return bad_group();
  if (slash == std::string_view::npos) return place;
  place.user = parts.substr(slash + 1);
  if (const auto member = check_member(place.user); !member) return member.error();
  return place;
}

// The body of PUT /groups/NAME. No list is longer than a group may be.
Or<std::vector<std::string>> read_members(const Request& request, size_t most) {
  if (request.body_too_large) return body_too_large();
  auto users = json_strings(request.body, most);
  if (!users) return users;
  if (users->size() > most) return group_full(most);
  for (const auto& user : *users) {
    if (const auto member = check_member(user); !member) return member.error();
  }
  return users;
}

Or<bool> read_replace(const Query& query) {
  const auto replace = query.single("replace");
  if (!replace) return replace.error();
  const auto text = replace->value_or("0");
  if (text == "1" || text == "0") return text == "1";
  return Error{Code::bad_request, "replace must be 1 or 0"};
}

// A parameter that is a group's name or the beginning of one; it may be empty.
Or<std::string> read_part(const Query& query, std::string_view parameter) {
  const auto text = query.single(parameter);
  if (!text) return text.error();
  const std::string part(text->value_or(""));
  if (part.empty() || valid_group(part)) return part;
  return Error{Code::bad_group,
               std::string(parameter) + " must be 1 to 64 of A-Z a-z 0-9 . _ - @ : +"};
}

std::string to_json(const Place& place, std::string_view outcome, bool whether) {
  JsonWriter json;
  json.begin_object().key("group").string(place.group);
  if (!place.user.empty()) json.key("user").string(place.user);
  json.key(outcome).boolean(whether).end_object();
  return json.take() + "\n";
}

std::string to_json(std::string_view group, const GroupChange& change) {
  JsonWriter json;
  json.begin_object().key("group").string(group);
  json.key("added").number(static_cast<int64_t>(change.added));
  json.key("removed").number(static_cast<int64_t>(change.removed));
  json.key("size").number(static_cast<int64_t>(change.size)).end_object();
  return json.take() + "\n";
}

std::string to_json(const GroupPage& page) {
  JsonWriter json;
  json.begin_object().key("groups").begin_array();
  for (const auto& [name, size] : page.groups) {
    json.begin_object().key("group").string(name);
    json.key("size").number(static_cast<int64_t>(size)).end_object();
  }
  json.end_array().key("next").string_or_null(page.next).end_object();
  return json.take() + "\n";
}

std::string to_json(std::string_view group, const GroupView& view) {
  JsonWriter json;
  json.begin_object().key("group").string(group);
  json.key("size").number(static_cast<int64_t>(view.size));
  json.key("members").begin_array();
  for (const auto& member : view.members) {
    // (An administrator may have put any text there by hand.)
    json.begin_object().key("user").string(utf8_lossy(member.user));
    json.key("online").boolean(member.online).end_object();
  }
  const std::string next = view.more ? next_text(view.members.back().user) : "";
  json.end_array().key("next").string_or_null(next).end_object();
  return json.take() + "\n";
}

// Returns a callback that answers with `outcome`: true or false.
Groups::Then<bool> tell(Answer answer, Place place, std::string_view outcome) {
  return answering(std::move(answer), [place = std::move(place), outcome](bool whether) {
    return to_json(place, outcome, whether);
  });
}

}  // namespace

GroupsHandler::GroupsHandler(Groups& groups, size_t members_max)
    : groups_(groups), members_max_(members_max) {}

void GroupsHandler::list(const Query& query, Answer answer) const {
  auto prefix = read_part(query, "prefix");
  if (!prefix) return refuse(answer, prefix.error());
  auto after = read_part(query, "after");
  if (!after) return refuse(answer, after.error());
  const auto limit = read_limit(query);
  if (!limit) return refuse(answer, limit.error());
  groups_.list({std::move(*prefix), std::move(*after), *limit},
               answering(std::move(answer), [](const GroupPage& page) { return to_json(page); }));
}

void GroupsHandler::put(const Request& request, const Query& query, Answer answer) const {
  const auto place = place_of(request);
  if (!place) return refuse(answer, place.error());
  const auto replace = read_replace(query);
  if (!replace) return refuse(answer, replace.error());
  auto users = read_members(request, members_max_);
  if (!users) return refuse(answer, users.error());
  groups_.put(place->group, std::move(*users), *replace,
              answering(std::move(answer), [group = place->group](const GroupChange& change) {
                return to_json(group, change);
              }));
}

void GroupsHandler::add(const Request& request, Answer answer) const {
  const auto place = place_of(request);
  if (!place) return refuse(answer, place.error());
  groups_.add(place->group, place->user, tell(std::move(answer), *place, "added"));
}

void GroupsHandler::remove(const Request& request, Answer answer) const {
  const auto place = place_of(request);
  if (!place) return refuse(answer, place.error());
  groups_.remove(place->group, place->user, tell(std::move(answer), *place, "removed"));
}

void GroupsHandler::remove_all(const Request& request, Answer answer) const {
  const auto place = place_of(request);
  if (!place) return refuse(answer, place.error());
  groups_.remove_all(place->group, tell(std::move(answer), *place, "removed"));
}

void GroupsHandler::view(const Request& request, const Query& query, Answer answer) const {
  const auto place = place_of(request);
  if (!place) return refuse(answer, place.error());
  const auto after = read_after(query);
  if (!after) return refuse(answer, after.error());
  const auto limit = read_limit(query);
  if (!limit) return refuse(answer, limit.error());
  groups_.view(place->group, *after, *limit,
               answering(std::move(answer), [group = place->group](const GroupView& view) {
                 return to_json(group, view);
               }));
}

}  // namespace letterbox
