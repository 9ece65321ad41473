// SPDX-License-Identifier: MIT
#include "handlers/tokens.h"

#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "model/json.h"
#include "model/names.h"
#include "requests/identity.h"
#include "requests/parameters.h"
#include "requests/reply.h"
#include "secret/digest.h"
#include "secret/random.h"

namespace letterbox {

namespace {

constexpr size_t kIdBytes = 8;

// What POST /tokens asks for: the user, and all of the token except the secret.
struct NewToken {
  std::string user;
  Token token;
};

Or<NewToken> read_new_token(const Request& request, uint64_t now, uint64_t life_ms) {
  const auto members = members_of(request);
  if (!members) return members.error();
  auto user = user_member(*members);
  if (!user) return user.error();
  const auto ttl = seconds_member(*members, "ttl", kTokenLifeMostMs);
  if (!ttl) return ttl.error();
  if (ttl->value_or(1) == 0) return Error{Code::bad_request, "'ttl' must be more than 0 seconds"};
  const auto sliding = flag_member(*members, "sliding");
  if (!sliding) return sliding.error();
  const auto client = text_member(*members, "client");
  if (!client) return client.error();
  if (*client && !valid_client(**client)) {
    return bad_client();
  }
  const auto found = members->find("data");
  std::string data = found != members->end() ? found->second.json : "";
  if (data.size() > kTokenDataBytes) {
    return Error{Code::bad_request,
                 "'data' must be at most " + std::to_string(kTokenDataBytes) + " bytes of JSON"};
  }
  NewToken asked{.user = std::move(*user), .token = {}};
  asked.token.id = asked.user + '.' + hex(random_secret(kIdBytes));
  asked.token.created_ms = now;
  asked.token.expires_ms = now + ttl->value_or(life_ms);
  if (*sliding) asked.token.slide_ms = ttl->value_or(life_ms);
  asked.token.client = client->value_or("");
  asked.token.data = std::move(data);
  return asked;
}

std::string issued_json(const NewToken& asked, std::string_view secret) {
  JsonWriter json;
  json.begin_object().key("token").string(secret).key("id").string(asked.token.id);
  json.key("user").string(asked.user);
  json.key("expires").number(static_cast<int64_t>(asked.token.expires_ms));
  return json.end_object().take() + "\n";
}

std::string list_json(std::string_view user, const std::vector<Token>& tokens) {
  JsonWriter json;
  json.begin_object().key("user").string(user).key("tokens").begin_array();
  for (const Token& token : tokens) {
    json.begin_object().key("id").string(token.id);
    json.key("created").number(static_cast<int64_t>(token.created_ms));
    json.key("expires").number(static_cast<int64_t>(token.expires_ms));
    json.key("used").number_or_null(token.used_ms);
    json.key("address").string_or_null(token.address);
    json.key("client").string_or_null(token.client);
    json.key("data").raw(token.data.empty() ? "null" : token.data);
    json.key("sliding").boolean(token.slide_ms != 0).end_object();
  }
  return json.end_array().end_object().take() + "\n";
}

// The tokens that DELETE /tokens is about: all tokens of a user, or one.
struct Selection {
  std::string user;
  std::string id;
};

Or<Selection> read_selection(const Query& query) {
  const auto id = query.single("id");
  if (!id) return id.error();
  if (!*id) {
    auto user = named_user(query);
    if (!user) return user.error();
    return Selection{.user = std::move(*user), .id = {}};
  }
  if (query.has("user")) {
    return Error{Code::bad_request, "say user=NAME or id=ID, not both"};
  }
  const size_t dot = (*id)->rfind('.');
  std::string user((*id)->substr(0, dot == std::string_view::npos ? 0 : dot));
  if (!valid_user(user)) return Error{Code::bad_request, "that is no token's id"};
  return Selection{.user = std::move(user), .id = std::string(**id)};
}

}  // namespace

TokenHandler::TokenHandler(Access& access, const Clock& clock, const TokenRules& rules)
    : access_(access), clock_(clock), rules_(rules) {}

void TokenHandler::issue(const Request& request, Answer answer) const {
  const auto asked = read_new_token(request, clock_.wall_ms(), rules_.life_ms);
  if (!asked) return refuse(answer, asked.error());
  const std::string secret = make_token(asked->user);
  access_.issue(
      asked->user, sha256_hex(secret), asked->token, rules_.most,
      answering(
          std::move(answer), [json = issued_json(*asked, secret)](bool) { return json; }, 201));
}

void TokenHandler::list(const Query& query, Answer answer) const {
  const auto user = named_user(query);
  if (!user) return refuse(answer, user.error());
  access_.tokens(*user,
                 answering(std::move(answer), [name = *user](const std::vector<Token>& tokens) {
                   return list_json(name, tokens);
                 }));
}

void TokenHandler::revoke(const Query& query, Answer answer) const {
  const auto selection = read_selection(query);
  if (!selection) return refuse(answer, selection.error());
  access_.revoke(selection->user, selection->id, answering(std::move(answer), [](uint64_t count) {
                   return "{\"revoked\":" + std::to_string(count) + "}\n";
                 }));
}

}  // namespace letterbox
