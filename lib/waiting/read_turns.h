// SPDX-License-Identifier: MIT
//
// Whose turn it is to be read for. A read may bring a mebibyte, and then Redis does nothing else
// for some milliseconds. So few reads are under way at once, and the other polls wait here. The
// waiting room uses it, under its mutex. Invariants:
//   1. At most one read of a client is under way, `of_user` of a user, and `of_worker` of a worker,
//      fewer if they are likely to bring more than `bytes`; but a worker may always have one.
//   2. Users take turns, one poll each; a user's polls in the order in which they came. A hundred
//      polls of one user hold up the only poll of another by one read.
//   3. If a worker asks next(), until that is null, after each line_up() and each returned() of its
//      own, no poll waits that may be read for, unless a read is under way.
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

namespace letterbox {

struct Desk;
struct Poll;

struct ReadLimits {
  size_t of_worker = 16;           // reads under way
  size_t of_user = 2;              // reads under way
  size_t bytes = 4'194'304;        // that a worker's reads under way are likely to bring
  size_t bytes_first = 1'048'576;  // that a worker's first read is likely to bring
};

class ReadTurns {
 public:
  using PollPtr = std::shared_ptr<Poll>;

  explicit ReadTurns(const ReadLimits& limits = {}) : limits_(limits) {}
  ReadTurns(const ReadTurns&) = delete;
  ReadTurns& operator=(const ReadTurns&) = delete;

  // The poll waits its turn. REQUIRES: it does not wait here yet.
  void line_up(const PollPtr& poll);
  // It waits no longer. REQUIRES: it waits here.
  void step_out(const Poll& poll);

  // The poll that a worker is to read for now, and which waits no longer; null: none.
  PollPtr next(const Desk& worker);
  // A worker's read for a poll that next() gave it is through, and has brought so many bytes.
  void returned(const Desk& worker, const Poll& poll, size_t bytes);

  size_t waiting() const { return waiting_; }
  size_t under_way() const { return under_way_; }

 private:
  struct User;
  using Users = std::unordered_map<std::string, User>;
  using Order = std::list<Users::value_type*>;

  struct User {
    std::list<PollPtr> waiting;
    std::vector<std::string> clients;        // whose reads are under way
    std::optional<Order::iterator> in_turn;  // if one of its polls may be read for
  };
  struct Worker {
    size_t reads = 0;         // under way
    size_t likely_bytes = 0;  // that its next read brings: by its last ones
  };

  Worker& of(const Desk& worker);
  bool may_read(const Worker& worker) const;
  std::list<PollPtr>::iterator readable(User& user) const;
  void settle(Users::value_type& entry);

  const ReadLimits limits_;
  Users users_;  // with a poll that waits or is read for
  Order order_;  // users with a poll that may be read for; whose turn it is comes first
  std::map<const Desk*, Worker> workers_;
  size_t waiting_ = 0;
  size_t under_way_ = 0;
};

}  // namespace letterbox
