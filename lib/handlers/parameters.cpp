// SPDX-License-Identifier: MIT
#include "handlers/parameters.h"

#include <utility>

#include "base/text.h"
#include "handlers/reply.h"
#include "model/names.h"
#include "model/seconds.h"
#include "secret/base64url.h"

namespace letterbox {

namespace {

constexpr uint64_t kLimitDefault = 100;
constexpr uint64_t kLimitMax = 1000;

// Begins what stands for a name that no user can have; no user's name begins so.
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
  if (!*text) return kLimitDefault;
  const auto limit = parse_u64(**text);
  if (limit && *limit >= 1 && *limit <= kLimitMax) return *limit;
  return Error{Code::bad_limit, "limit must be a whole number from 1 to " +
                                    std::to_string(kLimitMax) + ", got '" + std::string(**text) +
                                    "'"};
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
  if (!request.body_too_large) return json_members(request.body);
  return Error{Code::too_large, "the body is longer than this server takes"};
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
