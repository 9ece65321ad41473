// SPDX-License-Identifier: MIT
//
// The servers that are measured: each is a set of processes behind one HTTP port of loopback, with
// all its files in a directory of its own. Starting one returns when it answers; its destructor
// takes it down.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "dialect.h"

namespace letterbox::bench {

/// What a process does in its stack: "nginx", "redis", "poll", "push", "program".
struct Role {
  std::string name;
  pid_t pid;  // the first of its processes; the others descend from it
};

class Stack {
 public:
  virtual ~Stack() = default;
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  const std::string& name() const { return name_; }
  uint16_t port() const { return port_; }
  Dialect& dialect() { return *dialect_; }
  const std::vector<Role>& roles() const { return roles_; }
  /// As RedisLink takes it; empty: this stack has none.
  const std::string& redis() const { return redis_; }

 protected:
  Stack(std::string name, std::unique_ptr<Dialect> dialect)
      : name_(std::move(name)), dialect_(std::move(dialect)) {}

  std::string name_;
  uint16_t port_ = 0;
  std::string redis_;
  std::unique_ptr<Dialect> dialect_;
  std::vector<Role> roles_;
};

/// Where the pieces are.
struct Places {
  std::string root;       // the repository: scripts/service, nginx/
  std::string build;      // letterbox-poll, letterbox-push, bench-floor
  std::string directory;  // temporary, and short
};

inline constexpr const char* kLetterbox = "letterbox";
inline constexpr const char* kApart = "letterbox-apart";  // polls and pushes in two programs
inline constexpr const char* kNchanRedis = "nchan-redis";
inline constexpr const char* kNchanMemory = "nchan-memory";
inline constexpr const char* kFloor = "floor";

/// All of them throw Failure, with the end of the log that says why, where it doesn't come up.
/// `directory` must not exist yet.
std::unique_ptr<Stack> start_letterbox(bool apart, const Places& places,
                                       const std::string& directory);
std::unique_ptr<Stack> start_nchan(bool with_redis, const std::string& directory);
std::unique_ptr<Stack> start_floor(const Places& places, const std::string& directory);
/// By name.
std::unique_ptr<Stack> start_stack(const std::string& name, const Places& places,
                                   const std::string& directory);

/// Where nginx keeps the nchan module on this machine; empty: not installed.
std::string nchan_module();

}  // namespace letterbox::bench
