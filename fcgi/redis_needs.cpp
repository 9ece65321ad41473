// SPDX-License-Identifier: MIT
#include "redis_needs.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "mailbox/keys.h"

namespace letterbox {

namespace {

// KEYS.md says who uses what.
// clang-format off
constexpr RedisNeed kNeeds[] = {
  {"EXEC"},
  {"MULTI"},
  {"PING"},
  {"SELECT 0"},
  {"INFO"},
  {"ROLE",                 "a Redis that has become a replica is noticed by its refusals alone"},
  {"TIME"},
  {"EVAL return 0"},
  {"EVALSHA 0000000000000000000000000000000000000000 0"},
  {"CLIENT ID"},
  {"CLIENT INFO",          "a connection that the network has lost may go on taking rings, and its program looks at the mailboxes instead"},
  {"CLIENT KILL ID 0",     "a connection that the network has lost may go on taking rings until Redis notices"},
  {"CLIENT SETNAME check", "CLIENT LIST does not say whose a connection is"},
  {"CLIENT UNBLOCK 0",     "what is pushed into a list by hand comes up to a second late"},
  {"CLUSTER INFO",         "nobody can say how the cluster is"},
  {"CLUSTER NODES",        "no node of the cluster is found"},
  {"WAIT 0 0",             "--redis-replicas can't be used"},
  {"GET letterbox:check"},
  {"SET letterbox:check 0"},
  {"MSET letterbox:check 0"},
  {"INCR letterbox:check"},
  {"DEL letterbox:check"},
  {"UNLINK letterbox:check"},
  {"EXISTS letterbox:check"},
  {"TYPE letterbox:check"},
  {"PEXPIRE letterbox:check 1"},
  {"PTTL letterbox:check"},
  {"PERSIST letterbox:check"},
  {"HGET letterbox:check f"},
  {"HMGET letterbox:check f"},
  {"HGETALL letterbox:check"},
  {"HKEYS letterbox:check"},
  {"HVALS letterbox:check"},
  {"HLEN letterbox:check"},
  {"HSTRLEN letterbox:check f"},
  {"HEXISTS letterbox:check f"},
  {"HSET letterbox:check f 0"},
  {"HDEL letterbox:check f"},
  {"LLEN letterbox:check"},
  {"LINDEX letterbox:check 0"},
  {"LRANGE letterbox:check 0 0"},
  {"LSET letterbox:check 0 0"},
  {"LREM letterbox:check 0 0"},
  {"LTRIM letterbox:check 0 0"},
  {"LPUSH letterbox:check 0"},
  {"RPUSH letterbox:check 0"},
  {"LPOP letterbox:check"},
  {"RPOP letterbox:check"},
  {"BLPOP letterbox:check 1"},
  {"BLMPOP 1 1 letterbox:check LEFT", "each ring costs Redis a command more"},
  {"SADD letterbox:check m"},
  {"SREM letterbox:check m"},
  {"SMEMBERS letterbox:check"},
  {"SCAN 0"},
  {"ZADD letterbox:check 0 m"},
  {"ZREM letterbox:check m"},
  {"ZREMRANGEBYRANK letterbox:check 0 0"},
  {"ZCARD letterbox:check"},
  {"ZCOUNT letterbox:check 0 0"},
  {"ZSCORE letterbox:check m"},
  {"ZMSCORE letterbox:check m"},
  {"ZSCAN letterbox:check 0"},
  {"ZRANGEBYLEX letterbox:check - +"},
  {"ZRANGEBYSCORE letterbox:check 0 0"},
  {"XADD letterbox:check * f 0"},
  {"XREAD COUNT 1 STREAMS letterbox:check 0"},
  {"XREVRANGE letterbox:check + - COUNT 1"},
};
// clang-format on

constexpr std::string_view kKeyBeginnings[] = {
    "mailbox:", "unacked:", "base:",      "clients:",  "presence:", "tokens:",   "standing:",
    "group:",   "groups:",  "scheduled:", "collapse:", "pushed:",   "letterbox:"};

// The key of the samples.
constexpr std::string_view kSampleKey = "letterbox:check";

// Of these it is a subcommand that is allowed or not.
constexpr std::array<std::string_view, 2> kContainers{"CLIENT", "CLUSTER"};

}  // namespace

std::span<const RedisNeed> redis_needs() { return kNeeds; }

std::vector<std::string> redis_key_beginnings() {
  std::vector<std::string> beginnings;
  for (const auto beginning : kKeyBeginnings) {
    beginnings.push_back(key_prefix() + std::string(beginning));
  }
  return beginnings;
}

std::vector<std::string> words_of(const RedisNeed& need) {
  std::vector<std::string> words;
  for (std::string_view rest = need.sample; !rest.empty();) {
    const std::string_view word = take_until(rest, ' ');
    words.push_back((word == kSampleKey ? key_prefix() : "") + std::string(word));
  }
  return words;
}

std::string acl_name(const RedisNeed& need) {
  std::string_view rest = need.sample;
  std::string name(take_until(rest, ' '));
  if (std::ranges::find(kContainers, name) != kContainers.end()) {
    name += '|' + std::string(take_until(rest, ' '));
  }
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

std::string acl_line(std::string_view user) {
  std::string line = "ACL SETUSER " + std::string(user) + " on >PASSWORD resetkeys";
  for (const auto& beginning : redis_key_beginnings()) line += " ~" + beginning + '*';
  line += " resetchannels -@all";
  for (const RedisNeed& need : kNeeds) line += " +" + acl_name(need);
  return line;
}

}  // namespace letterbox
