// SPDX-License-Identifier: MIT
#include "waiting/read_turns.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "waiting/poll.h"

namespace letterbox {

namespace {

// After each read, the estimate of a worker's bytes a read moves by an eighth towards what that
// read brought. If the mailboxes turn out to be full, the worker has `of_worker` reads under way
// for a dozen reads at most.
constexpr size_t kMemory = 8;

}  // namespace

void ReadTurns::line_up(const PollPtr& poll) {
  auto& entry = *users_.try_emplace(poll->question.user).first;
  entry.second.waiting.push_back(poll);
  ++waiting_;
  settle(entry);
}

void ReadTurns::step_out(const Poll& poll) {
  auto& entry = *users_.find(poll.question.user);
  auto& waiting = entry.second.waiting;
  const auto own = std::find_if(waiting.begin(), waiting.end(),
                                [&](const PollPtr& one) { return one.get() == &poll; });
  assert(own != waiting.end());
  assert(waiting_ > 0);
  waiting.erase(own);
  --waiting_;
  settle(entry);
}

ReadTurns::PollPtr ReadTurns::next(const Desk& worker) {
  Worker& reader = of(worker);
  if (order_.empty() || !may_read(reader)) return nullptr;
  auto& entry = *order_.front();
  User& user = entry.second;
  order_.pop_front();
  user.in_turn.reset();

  const auto first = readable(user);
  assert(first != user.waiting.end());
  assert(waiting_ > 0);
  PollPtr poll = std::move(*first);
  user.waiting.erase(first);
  --waiting_;
  user.clients.push_back(poll->question.client);
  ++reader.reads;
  ++under_way_;
  settle(entry);
  return poll;
}

void ReadTurns::returned(const Desk& worker, const Poll& poll, size_t bytes) {
  Worker& reader = of(worker);
  assert(reader.reads > 0);
  assert(under_way_ >= reader.reads);
  --reader.reads;
  --under_way_;
  reader.likely_bytes = (reader.likely_bytes * (kMemory - 1) + bytes) / kMemory;

  auto& entry = *users_.find(poll.question.user);
  auto& clients = entry.second.clients;
  const auto own = std::find(clients.begin(), clients.end(), poll.question.client);
  assert(own != clients.end());
  clients.erase(own);
  settle(entry);
}

ReadTurns::Worker& ReadTurns::of(const Desk& worker) {
  return workers_.try_emplace(&worker, Worker{.likely_bytes = limits_.bytes_first}).first->second;
}

bool ReadTurns::may_read(const Worker& worker) const {
  if (worker.reads == 0) return true;
  return worker.reads < limits_.of_worker &&
         (worker.reads + 1) * worker.likely_bytes <= limits_.bytes;
}

// The oldest of a user's polls that may read.
std::list<ReadTurns::PollPtr>::iterator ReadTurns::readable(User& user) const {
  if (user.clients.size() >= limits_.of_user) return user.waiting.end();
  return std::find_if(user.waiting.begin(), user.waiting.end(), [&](const PollPtr& one) {
    const auto& reading = user.clients;
    return std::find(reading.begin(), reading.end(), one->question.client) == reading.end();
  });
}

// Called after each change of a user. A user has a place in the order if one of its polls may read;
// a new place is the last one. A user without polls and reads is forgotten.
void ReadTurns::settle(Users::value_type& entry) {
  User& user = entry.second;
  assert(user.clients.size() <= std::max<size_t>(limits_.of_user, 1));
  const bool may = readable(user) != user.waiting.end();
  if (may && !user.in_turn) user.in_turn = order_.insert(order_.end(), &entry);
  if (!may && user.in_turn) {
    order_.erase(*user.in_turn);
    user.in_turn.reset();
  }
  if (user.waiting.empty() && user.clients.empty()) users_.erase(users_.find(entry.first));
}

}  // namespace letterbox
