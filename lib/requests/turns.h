// SPDX-License-Identifier: MIT
//
// Calls that need more than one step of the store take turns. A worker limits the recipients and
// bytes that are under way for all of them together. So a push to one user finds the line to Redis
// short, however many batches and broadcasts are on their way. For one worker's thread.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>

namespace letterbox {

class Turns {
 public:
  // A call that takes turns.
  class Call {
   public:
    virtual ~Call() = default;
    // Sends the next share into the store. Returns the number of its recipients, at least 1.
    virtual size_t send_share() = 0;
    virtual bool has_more() const = 0;
  };

  // REQUIRES: `call` has more. Turns holds the call until it has no more.
  void join(std::shared_ptr<Call> call);

  // take() notes that a share is on its way into the store; give_back(), that the store has
  // answered it. Each share that is taken is given back.
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
