// SPDX-License-Identifier: MIT
#include "handlers/groups.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "handlers/mail.h"
#include "handlers/parameters.h"
#include "handlers/reply.h"
#include "model/json_writer.h"
#include "model/names.h"

namespace letterbox {

namespace {

constexpr std::string_view kPrefix = "/groups/";

struct Place {
  std::string group;
  std::string user;  // empty where the path ends with the group
};

// The router has seen to it that the path has these parts.
Or<Place> place_of(const Request& request) {
  const std::string_view parts = request.path.substr(kPrefix.size());
  const size_t slash = parts.find('/');
  Place place{std::string(parts.substr(0, slash)), {}};
  if (!valid_group(place.group)) return bad_group();
  if (slash == std::string_view::npos) return place;
  place.user = parts.substr(slash + 1);
  const auto kind = Recipient::parse(place.user).kind;
  if (kind == Recipient::Kind::user) return place;
  if (!valid_user(place.user)) return bad_user();
  // It would be written to by no other name.
  return Error{Code::bad_user, "a member is a user, so its name can't begin with 'group:'"};
}

std::string to_json(const Place& place, std::string_view outcome, bool whether) {
  JsonWriter json;
  json.begin_object().key("group").string(place.group);
  if (!place.user.empty()) json.key("user").string(place.user);
  json.key(outcome).boolean(whether).end_object();
  return json.take() + "\n";
}

std::string to_json(std::string_view group, const GroupView& view) {
  JsonWriter json;
  json.begin_object().key("group").string(group);
  json.key("size").number(static_cast<int64_t>(view.size));
  json.key("members").begin_array();
  for (const auto& member : view.members) {
    // (Somebody may have put anything there by hand.)
    json.begin_object().key("user").string(utf8_lossy(member.user));
    json.key("online").boolean(member.online).end_object();
  }
  const std::string next = view.more ? next_text(view.members.back().user) : "";
  json.end_array().key("next").string_or_null(next).end_object();
  return json.take() + "\n";
}

// Answers with what is said of it.
Groups::Then<bool> tell(Answer answer, Place place, std::string_view outcome) {
  return answering(std::move(answer), [place = std::move(place), outcome](bool whether) {
    return to_json(place, outcome, whether);
  });
}

}  // namespace

GroupsHandler::GroupsHandler(Groups& groups) : groups_(groups) {}

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
