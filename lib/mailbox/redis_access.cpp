// SPDX-License-Identifier: MIT
#include "mailbox/redis_access.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "mailbox/failure.h"
#include "mailbox/keys.h"
#include "scripts.h"

namespace letterbox {

namespace {

// Longer than any program is deaf without noticing.

uint64_t next_number(std::string_view& text) {
  return parse_u64(take_until(text, ' ')).value_or(0);
}

// "ID CREATED EXPIRES[+SLIDE] USED CLIENT ADDRESS DATA": client, address and data may be empty.
std::string to_record(const Token& token) {
  std::string record = token.id + ' ';
  append_u64(record, token.created_ms);
  record += ' ';
  append_u64(record, token.expires_ms);
  if (token.slide_ms != 0) {
    record += '+';
    append_u64(record, token.slide_ms);
  }
  record += ' ';
  append_u64(record, token.used_ms);
  return record + ' ' + token.client + ' ' + token.address + ' ' + token.data;
}

Token to_token(std::string_view record) {
  Token token;
  token.id = take_until(record, ' ');
  token.created_ms = next_number(record);
  std::string_view slide = take_until(record, ' ');
  token.expires_ms = parse_u64(take_until(slide, '+')).value_or(0);
  token.slide_ms = parse_u64(slide).value_or(0);
  token.used_ms = next_number(record);
  token.client = take_until(record, ' ');
  token.address = take_until(record, ' ');
  token.data = record;
  return token;
}

// The three values are "SINCE REASON", "AT UNTIL REASON" and "AT". A value that can't be read keeps
// the user out: it counts as a kick that never ends, or a revocation of every signed token.
Standing to_standing(const Reply& locked, const Reply& kicked, const Reply& revoked) {
  constexpr uint64_t kForEver = UINT64_MAX;
  Standing standing;
  if (!locked.is_nil()) {
    std::string_view text = locked.text();
    const uint64_t since = next_number(text);
    standing.locked = {since, std::string(text)};
  }
  if (!kicked.is_nil()) {
    std::string_view text = kicked.text();
    const auto at = parse_u64(take_until(text, ' '));
    const auto until = parse_u64(take_until(text, ' '));
    standing.kicked = {kForEver, kForEver, ""};
    if (at && until) standing.kicked = {*at, *until, std::string(text)};
  }
  if (!revoked.is_nil()) standing.revoked_ms = parse_u64(revoked.text()).value_or(kForEver);
  return standing;
}

}  // namespace

RedisAccess::RedisAccess(Redis& redis, const Clock& clock, uint64_t signed_life_ms)
    : redis_(redis), clock_(clock), signed_life_ms_(signed_life_ms) {}

void RedisAccess::admit(const Claim& claim, std::string_view address, Then<Admission> then) {
  assert(part_of(claim.user) == redis_.part());
  const std::string tokens = tokens_key(claim.user);
  const std::string standing = standing_key(claim.user);
  const std::string now = std::to_string(clock_.wall_ms());
  const std::string hash = claim.proof == Claim::Proof::token ? claim.hash : "";
  redis_.eval(
      lua::admit, std::array<std::string_view, 2>{tokens, standing},
      std::array<std::string_view, 3>{hash, now, address},
      [this, claim, then = std::move(then)](const Reply& reply) {
        if (!reply.ok() || reply.size() != 4) return then(failure_of(reply));
        std::optional<Token> token;
        if (!reply[3].is_nil()) token = to_token(reply[3].text());
        then(judge(claim, to_standing(reply[0], reply[1], reply[2]), token, clock_.wall_ms()));
      });
}

void RedisAccess::issue(std::string_view user, std::string_view hash, const Token& token,
                        size_t most, Then<bool> then) {
  assert(part_of(user) == redis_.part());
  const std::string tokens = tokens_key(user);
  const std::string record = to_record(token);
  const std::string now = std::to_string(clock_.wall_ms());
  const std::string most_text = std::to_string(most);
  redis_.eval(
      lua::issue,
      std::array<std::string_view, 3>{tokens, shared_keys(redis_.part()).notices,
                                      shared_keys(redis_.part()).notice_count},
      std::array<std::string_view, 6>{user, hash, record, now, most_text, kTextOf<kNoticesLifeMs>},
      [then = std::move(then)](const Reply& reply) {
        if (!reply.ok()) return then(failure_of(reply));
        then(true);
      });
}

void RedisAccess::tokens(std::string_view user, Then<std::vector<Token>> then) {
  const std::string key = tokens_key(user);
  redis_.command({"HGETALL", key}, [this, key, then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(failure_of(reply, key));
    std::vector<Token> tokens;
    for (size_t i = 0; i + 1 < reply.size(); i += 2) {
      Token token = to_token(reply[i + 1].text());
      if (token.expires_ms > clock_.wall_ms()) tokens.push_back(std::move(token));
    }
    std::sort(tokens.begin(), tokens.end(), [](const Token& a, const Token& b) {
      return std::pair(a.created_ms, a.id) < std::pair(b.created_ms, b.id);
    });
    then(std::move(tokens));
  });
}

void RedisAccess::revoke(std::string_view user, std::string_view id, Then<uint64_t> then) {
  assert(part_of(user) == redis_.part());
  const std::string tokens = tokens_key(user);
  const std::string standing = standing_key(user);
  const std::string now = std::to_string(clock_.wall_ms());
  const std::string life = std::to_string(signed_life_ms_);
  redis_.eval(lua::revoke,
              std::array<std::string_view, 4>{tokens, standing, shared_keys(redis_.part()).notices,
                                              shared_keys(redis_.part()).notice_count},
              std::array<std::string_view, 5>{user, id, now, life, kTextOf<kNoticesLifeMs>},
              [then = std::move(then)](const Reply& reply) {
                if (!reply.ok()) return then(failure_of(reply));
                then(reply.number());
              });
}

void RedisAccess::standing(std::string_view user, Then<Standing> then) {
  const std::string key = standing_key(user);
  redis_.command({"HMGET", key, "locked", "kicked", "revoked"},
                 [key, then = std::move(then)](const Reply& reply) {
                   if (!reply.ok() || reply.size() != 3) return then(failure_of(reply, key));
                   then(to_standing(reply[0], reply[1], reply[2]));
                 });
}

void RedisAccess::any_stands(std::span<const std::string> users, Then<bool> then) {
  std::vector<std::string> keys;
  assert(!users.empty());
  keys.reserve(users.size());
  for (const auto& user : users) keys.push_back(standing_key(user));
  std::vector<std::string_view> words{"EXISTS"};
  words.insert(words.end(), keys.begin(), keys.end());
  redis_.command(words, [then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(failure_of(reply));
    then(reply.integer() != 0);
  });
}

void RedisAccess::lock(std::string_view user, std::string_view reason, Then<bool> then) {
  stand(user, "locked", std::to_string(clock_.wall_ms()) + ' ' + std::string(reason),
        std::move(then));
}

void RedisAccess::unlock(std::string_view user, Then<bool> then) {
  stand(user, "locked", "", std::move(then));
}

void RedisAccess::kick(std::string_view user, std::string_view reason, uint64_t for_ms,
                       Then<bool> then) {
  const uint64_t now = clock_.wall_ms();
  std::string value = std::to_string(now) + ' ' + std::to_string(now + for_ms) + ' ';
  value += reason;
  stand(user, "kicked", value, std::move(then));
}

void RedisAccess::stand(std::string_view user, std::string_view field, std::string_view value,
                        Then<bool> then) {
  assert(part_of(user) == redis_.part());
  const std::string tokens = tokens_key(user);
  const std::string standing = standing_key(user);
  const std::string now = std::to_string(clock_.wall_ms());
  const std::string life = std::to_string(signed_life_ms_);
  redis_.eval(
      lua::standing,
      std::array<std::string_view, 4>{tokens, standing, shared_keys(redis_.part()).notices,
                                      shared_keys(redis_.part()).notice_count},
      std::array<std::string_view, 6>{user, field, value, now, life, kTextOf<kNoticesLifeMs>},
      [then = std::move(then)](const Reply& reply) {
        if (!reply.ok()) return then(failure_of(reply));
        then(reply.integer() != 0);
      });
}

}  // namespace letterbox
