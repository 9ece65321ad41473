// SPDX-License-Identifier: MIT
#include "stack.h"

#include <sys/wait.h>

#include <csignal>

#include "clock.h"
#include "failure.h"
#include "process.h"
#include "wait.h"

namespace letterbox::bench {
namespace {

constexpr int64_t kPatience = 5 * kSecond;

std::string nothing_missing(const Places&) { return {}; }

}  // namespace

Role& Stack::role(std::string_view name) {
  for (Role& role : roles_) {
    if (role.name == name) return role;
  }
  throw Failure(name_ + " has no " + std::string(name));
}

void Stack::crash_redis() {
  const pid_t pid = role("redis").pid;
  kill(pid, SIGKILL);
  if (!await([pid] { return !alive(pid); }, now_ns() + kPatience)) {
    throw Failure("redis did not end");
  }
  waitpid(pid, nullptr, WNOHANG);  // if it is a child
}

const std::vector<StackKind>& all_stacks() {
  static const std::vector<StackKind> kinds{
      {kLetterbox, "Letterbox", 5000, nothing_missing, start_letterbox},
      {kApart, "Letterbox, two programs", 5000, nothing_missing, start_letterbox_apart},
      {kCluster, "Letterbox, a cluster of three masters and three replicas", 5000, nothing_missing,
       start_letterbox_cluster},
      {kOneMaster, "Letterbox, a cluster of one master alone", 5000, nothing_missing,
       start_one_master},
      {kTwoMasters, "… of two", 5000, nothing_missing, start_two_masters},
      {kThreeMasters, "… of three", 5000, nothing_missing, start_three_masters},
      {kThreeMastersApart, "… of three, two programs: each message rings at the other", 5000,
       nothing_missing, start_three_masters_apart},
      {kNchanRedis, "nchan + Redis", 5000, missing_nchan, start_nchan_redis},
      {kNchanMemory, "nchan, memory only", 5000, missing_nchan, start_nchan_memory},
      {kPushpin, "Pushpin", 500, missing_pushpin, start_pushpin},
      {kSocketIo, "Socket.IO + Redis", 2000, missing_socketio, start_socketio},
      {kFloor, "floor", 5000, nothing_missing, start_floor},
  };
  return kinds;
}

const StackKind& stack_kind(std::string_view name) {
  for (const StackKind& kind : all_stacks()) {
    if (kind.name == name) return kind;
  }
  throw Failure("no such stack: " + std::string(name));
}

}  // namespace letterbox::bench
