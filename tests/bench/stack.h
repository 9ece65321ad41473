// SPDX-License-Identifier: MIT
//
// The servers that are measured: each is a set of processes behind one HTTP port of loopback, with
// all its files in a directory of its own. Starting one returns when it answers; its destructor
// takes it down.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dialect.h"

namespace letterbox::bench {

/// What a process does in its stack: "nginx", "redis", "poll", "push", "program" (a rival's own).
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
  /// The same, but that its clients listen by streams. Only of a stack that has them.
  Dialect& streams() { return *streams_; }
  const std::vector<Role>& roles() const { return roles_; }
  /// As RedisLink takes it; empty: this stack has none.
  const std::string& redis() const { return redis_; }

  /// Ends Redis as a crash does; its files stay.
  void crash_redis();
  /// Starts it on these files, and returns at once: it answers when it has read them.
  virtual void revive_redis() = 0;
  /// After that, once Redis answers: its new process is known.
  virtual void finish_revival() = 0;

 protected:
  Stack(std::string name, std::unique_ptr<Dialect> dialect)
      : name_(std::move(name)), dialect_(std::move(dialect)) {}

  void add(std::string role, pid_t pid) { roles_.push_back({std::move(role), pid}); }
  /// The role's process; a Failure if there is none.
  Role& role(std::string_view name);

  std::string name_;
  uint16_t port_ = 0;
  std::string redis_;
  std::unique_ptr<Dialect> dialect_;
  std::unique_ptr<Dialect> streams_;
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
inline constexpr const char* kPushpin = "pushpin";
inline constexpr const char* kSocketIo = "socketio";
inline constexpr const char* kFloor = "floor";

struct StackKind {
  const char* name;
  const char* title;  // for people
  double arrivals;    // clients a second that it takes while a crowd comes
  /// Why it can't be started here; empty: it can.
  std::string (*missing)(const Places& places);
  /// Throws Failure, with the end of the log that says why, if it doesn't come up. `directory`
  /// must not exist yet.
  std::unique_ptr<Stack> (*start)(const Places& places, const std::string& directory);
};

/// In the order in which they are shown; the first is Letterbox, the last the floor.
const std::vector<StackKind>& all_stacks();
/// A Failure if there is none of that name.
const StackKind& stack_kind(std::string_view name);

// Each in the file of its name.
std::unique_ptr<Stack> start_letterbox(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_letterbox_apart(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_nchan_redis(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_nchan_memory(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_pushpin(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_socketio(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_floor(const Places& places, const std::string& directory);
std::string missing_nchan(const Places& places);
std::string missing_pushpin(const Places& places);
std::string missing_socketio(const Places& places);

}  // namespace letterbox::bench
