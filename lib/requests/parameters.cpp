// SPDX-License-Identifier: MIT
#include "requests/parameters.h"

#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "model/names.h"
#include "model/seconds.h"
#include "requests/reply.h"
#include "secret/base64url.h"

namespace letterbox {

namespace {

// Begins the encoded form of a name that no user can have. No user's name begins with it.
constexpr char kNoUser = '=';

Or<std::string> checked(std::optional<std::string_view> user, std::string_view how) {
  if (!user) return Error{Code::missing_user, "say which user: " + std::string(how)};
  if (valid_user(*user)) return std::string(*user);
  return bad_user();
}

}  // namespace

Or<std::string> named_user(const Query& query) {
  const auto user = query.single("user");
  if (!user) return user.error();
  return checked(*user, "user=NAME");
}

Or<uint64_t> read_limit(const Query& query) {
  const auto text = query.single("limit");
  if (!text) return text.error();
  if (!*text) return kPageItems;
  const auto limit = parse_u64(**text);
  if (limit && *limit >= 1 && *limit <= kPageMostItems) return *limit;
  return Error{Code::bad_limit, "limit must be a whole number from 1 to " +
                                    std::to_string(kPageMostItems) + ", got '" +
                                    std::string(**text) + "'"};
}

Or<std::string> read_after(const Query& query) {
  const auto after = query.single("after");
  if (!after) return after.error();
  if (after->value_or("").empty()) return std::string();
  if (valid_user(**after)) return std::string(**after);
  if ((*after)->front() == kNoUser) {
    auto name = from_base64url((*after)->substr(1));
    if (name && !name->empty()) return *std::move(name);
  }
  return Error{Code::bad_user, "after must be a user name, or `next` of the page before"};
}

std::string next_text(std::string_view name) {
  return name.empty() || valid_user(name) ? std::string(name) : kNoUser + base64url(name);
}

Or<JsonMembers> members_of(const Request& request) {
  if (request.body_too_large) return body_too_large();
  return json_members(request.body);
}

Or<std::string> user_member(const JsonMembers& members) {
  const auto user = text_member(members, "user");
  if (!user) return user.error();
  return checked(*user, R"({"user":"NAME"})");
}

Or<std::optional<std::string>> text_member(const JsonMembers& members, std::string_view name) {
  const auto found = members.find(name);
  if (found == members.end()) return std::optional<std::string>();
  const JsonMember& member = found->second;
  if (member.kind == JsonMember::Kind::string) return std::optional(member.text);
  return Error{Code::bad_request, "'" + std::string(name) + "' must be a string"};
}

Or<bool> flag_member(const JsonMembers& members, std::string_view name) {
  const auto found = members.find(name);
  if (found == members.end()) return false;
  const std::string& json = found->second.json;
  if (json == "true" || json == "false") return json == "true";
  return Error{Code::bad_request, "'" + std::string(name) + "' must be true or false"};
}

Or<std::optional<uint64_t>> seconds_member(const JsonMembers& members, std::string_view name,
                                           uint64_t most_ms) {
  const auto found = members.find(name);
  if (found == members.end()) return std::optional<uint64_t>();
  const JsonMember& member = found->second;
  if (member.kind == JsonMember::Kind::number) {
    const auto ms = parse_seconds_ms(member.text);
    if (ms && *ms <= most_ms) return ms;
  }
  return Error{Code::bad_request, "'" + std::string(name) +
                                      "' must be a number of seconds, at most " +
                                      std::to_string(most_ms / 1000)};
}

}  // namespace letterbox
