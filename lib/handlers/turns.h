// SPDX-License-Identifier: MIT
//
// Calls that need more than one step of the store take turns: a worker has only so much under way
// for all of them together, so a push to one user finds the line to Redis short, however many
// batches and broadcasts are on their way. For one worker's thread.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>

namespace letterbox {

class Turns {
 public:
  // One that takes turns.
  class Call {
   public:
    virtual ~Call() = default;
    // Sends the next share into the store. How many recipients it was for, at least 1.
    virtual size_t send_share() = 0;
    virtual bool has_more() const = 0;
  };

  // `call` has more. It is held until it has no more.
  void join(std::shared_ptr<Call> call);

  // A share is on its way into the store, and has been answered. Each taken one is given back.
  void take(size_t recipients, size_t bytes);
  void give_back(size_t recipients, size_t bytes);

 private:
  void go_on();

  std::deque<std::shared_ptr<Call>> waiting_;  // the front has its turn
  size_t sent_this_turn_ = 0;                  // recipients
  size_t recipients_under_way_ = 0;
  size_t bytes_under_way_ = 0;
  bool sending_ = false;
};

}  // namespace letterbox
