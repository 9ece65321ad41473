// SPDX-License-Identifier: MIT
//
// Says which poll reads its mailbox next. A read may bring a mebibyte, and Redis does nothing else
// for some milliseconds then. So few reads are under way at once, and the other polls wait here.
// The waiting room uses it, under its mutex. Invariants:
//   1. At most one read a client, `of_user` reads a user and `of_worker` reads a worker are under
//      way. A worker has fewer if they are likely to bring more than `bytes`, but it may always
//      have one.
//   2. Users take turns, one poll each. A user's polls read in the order in which they came. So a
//      hundred polls of one user hold up the only poll of another by one read.
//   3. If a worker calls next() until it returns null, after each line_up() and each returned() of
//      its own, then no poll that may read waits unless a read is under way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/limits.h"

namespace letterbox {

struct Desk;
struct Poll;

struct ReadLimits {
  size_t of_worker = kWorkerReads;    // reads under way
  size_t of_user = kUserReads;        // reads under way
  size_t bytes = kWorkerReadBytes;    // that a worker's reads under way are likely to bring
  size_t bytes_first = kAnswerBytes;  // that a worker's first read is likely to bring
};

class ReadTurns {
 public:
  using PollPtr = std::shared_ptr<Poll>;

  explicit ReadTurns(const ReadLimits& limits = {}) : limits_(limits) {}
  ReadTurns(const ReadTurns&) = delete;
  ReadTurns& operator=(const ReadTurns&) = delete;

  // The poll waits its turn. REQUIRES: it does not wait here yet.
  void line_up(const PollPtr& poll);
  // The poll waits no longer. REQUIRES: it waits here.
  void step_out(const Poll& poll);

  // The poll whose read the worker must begin now; it waits here no longer. Null: none.
  PollPtr next(const Desk& worker);
  // The worker's read for a poll from next() is through, and has brought this many bytes.
  void returned(const Desk& worker, const Poll& poll, size_t bytes);

  size_t waiting() const { return waiting_; }
  size_t under_way() const { return under_way_; }

 private:
  struct User;
  using Users = std::unordered_map<std::string, User>;
  using Order = std::list<Users::value_type*>;

  struct User {
    std::list<PollPtr> waiting;
    std::vector<std::string> clients;        // with a read under way
    std::optional<Order::iterator> in_turn;  // set if one of its polls may read
  };
  struct Worker {
    size_t reads = 0;         // under way
    size_t likely_bytes = 0;  // of its next read, estimated from its last ones
  };

  Worker& of(const Desk& worker);
  bool may_read(const Worker& worker) const;
  std::list<PollPtr>::iterator readable(User& user) const;
  void settle(Users::value_type& entry);

  const ReadLimits limits_;
  Users users_;  // users with a poll that waits or reads
  Order order_;  // users with a poll that may read, the next one first
  std::map<const Desk*, Worker> workers_;
  size_t waiting_ = 0;
  size_t under_way_ = 0;
};

}  // namespace letterbox
