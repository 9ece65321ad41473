// SPDX-License-Identifier: MIT
//
// What a Redis user of an access list (ACL) must be allowed for both programs to work: every
// command of the programs and of their Lua, and every pattern of keys. `--acl` prints it, `--check`
// tries it. All keys begin with --redis-prefix. Pure, for any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace letterbox {

struct RedisNeed {
  // The command with arguments that Redis takes, so that its rights are looked at; it is never
  // carried out.
  std::string_view sample;
  // What is worse without it; empty: without it something does not work at all.
  std::string_view without = {};
};

std::span<const RedisNeed> redis_needs();

// The beginning of the names of all keys, such as "mailbox:".
std::vector<std::string> redis_key_beginnings();

// How access lists call the command: "get", "client|id".
std::string acl_name(const RedisNeed& need);

std::vector<std::string> words_of(const RedisNeed& need);

// `ACL SETUSER …`, to be pasted into redis-cli with a password in the place of PASSWORD.
std::string acl_line(std::string_view user);

}  // namespace letterbox
