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

/// The role of a process in its stack: "nginx", "redis", "replica", "poll", "push", "program" (a
/// rival's own). Several processes may have the same: the masters of a cluster are all "redis".
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
  /// The same, with clients that listen by streams. Only for a stack that has them.
  Dialect& streams() { return *streams_; }
  const std::vector<Role>& roles() const { return roles_; }
  /// As RedisLink takes them, without replicas; empty: this stack has none.
  const std::vector<std::string>& redises() const { return redises_; }
  /// The one of a stack that has one.
  const std::string& redis() const { return redises_.at(0); }

  /// Ends Redis as a crash does; its files stay. For a stack with one Redis.
  void crash_redis();
  /// Starts it on these files, and returns at once: it answers when it has read them.
  virtual void revive_redis() = 0;
  /// To be called after that, once Redis answers: learns its new process.
  virtual void finish_revival() = 0;

 protected:
  Stack(std::string name, std::unique_ptr<Dialect> dialect)
      : name_(std::move(name)), dialect_(std::move(dialect)) {}

  void add(std::string role, pid_t pid) { roles_.push_back({std::move(role), pid}); }
  /// The role's process; a Failure if there is none.
  Role& role(std::string_view name);

  std::string name_;
  uint16_t port_ = 0;
  std::vector<std::string> redises_;
  std::unique_ptr<Dialect> dialect_;
  std::unique_ptr<Dialect> streams_;
  std::vector<Role> roles_;
};

/// The paths of the files that stacks need.
struct Places {
  std::string root;       // the repository: scripts/service, nginx/
  std::string build;      // letterbox-poll, letterbox-push, bench-floor
  std::string directory;  // temporary, and short
};

inline constexpr const char* kLetterbox = "letterbox";
inline constexpr const char* kApart = "letterbox-apart";         // polls and pushes in two programs
inline constexpr const char* kCluster = "letterbox-cluster";     // three masters, three replicas
inline constexpr const char* kOneMaster = "letterbox-1-master";  // clusters without replicas
inline constexpr const char* kTwoMasters = "letterbox-2-masters";
inline constexpr const char* kThreeMasters = "letterbox-3-masters";
inline constexpr const char* kThreeMastersApart = "letterbox-3-apart";  // and two programs
inline constexpr const char* kNchanRedis = "nchan-redis";
inline constexpr const char* kNchanMemory = "nchan-memory";
inline constexpr const char* kPushpin = "pushpin";
inline constexpr const char* kSocketIo = "socketio";
inline constexpr const char* kFloor = "floor";

struct StackKind {
  const char* name;
  const char* title;  // for people
  double arrivals;    // clients a second that it takes while a crowd comes
  /// The reason why it can't be started here; empty: it can.
  std::string (*missing)(const Places& places);
  /// Throws Failure, with the end of the log, if it doesn't come up. `directory`
  /// must not exist yet.
  std::unique_ptr<Stack> (*start)(const Places& places, const std::string& directory);
};

/// In the order in which they are shown; the first is Letterbox, the last the floor.
const std::vector<StackKind>& all_stacks();
/// Letterbox in one of its forms.
inline bool is_letterbox(std::string_view stack) { return stack.starts_with(kLetterbox); }
/// A Failure if there is none of that name.
const StackKind& stack_kind(std::string_view name);

// Each is in the file of its name.
std::unique_ptr<Stack> start_letterbox(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_letterbox_apart(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_letterbox_cluster(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_one_master(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_two_masters(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_three_masters(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_three_masters_apart(const Places& places,
                                                 const std::string& directory);
std::unique_ptr<Stack> start_nchan_redis(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_nchan_memory(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_pushpin(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_socketio(const Places& places, const std::string& directory);
std::unique_ptr<Stack> start_floor(const Places& places, const std::string& directory);
std::string missing_nchan(const Places& places);
std::string missing_pushpin(const Places& places);
std::string missing_socketio(const Places& places);

}  // namespace letterbox::bench
