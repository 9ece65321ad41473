// SPDX-License-Identifier: MIT
//
// The address of Redis, and the login there. Constant once read; shared by all connections.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "redis/lookup.h"

namespace letterbox {

struct RedisAddress {
  std::string path;  // unix socket; empty for TCP
  std::string host;
  int port = 6379;

  // If there are sentinels, none of the above is set. Redis is the master of this name, and the
  // sentinels know its address.
  std::string master;
  std::vector<RedisAddress> sentinels;

  // If it is a Redis Cluster, none of the above is set. Any of its nodes, which know the others.
  std::vector<RedisAddress> nodes;

  // "unix:/run/redis.sock", "/run/redis.sock", "host", "host:port", "[::1]:port",
  // "sentinel:NAME@host:port,host:port", "cluster:host:port,host:port". The error is a sentence.
  static Result<RedisAddress, std::string> parse(std::string_view text);

  std::string text() const;

  bool operator==(const RedisAddress&) const = default;
};

struct RedisLogin {
  RedisAddress address;
  std::string user;      // a user of Redis' access lists; empty: the default user
  std::string password;  // empty: none
  int db = 0;
  bool any_role = false;  // a replica counts as up as well
  // How long an ordinary command may take before the connection counts as dead.
  uint64_t patience_ms = kRedisMs;
  // What the names of Redis and of the sentinels stand for; another one than the system's in tests.
  Resolver resolver = resolve_by_system;
};

}  // namespace letterbox
