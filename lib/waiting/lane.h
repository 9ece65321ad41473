// SPDX-License-Identifier: MIT
//
// One lane: see lanes.h. Everything here is for the thread of its host's loop, except what the
// mutex of the Lanes guards.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "waiting/lanes.h"

namespace letterbox {

class Lane : public std::enable_shared_from_this<Lane> {
 public:
  Lane(Lanes& lanes, const LaneHost& host);

  void start();
  // The lists have changed: asks anew if it is blocked on the old ones.
  void interrupt();
  // Hangs a bell that is for somebody else, and stays away from its lists for some milliseconds.
  void hand_on(std::string_view user, uint64_t since_ms);

 private:
  friend class Lanes;

  // What can be said of it from any thread. Deaf: Redis is there, but not for this lane, or not yet
  // for all of its mailboxes. They are looked at every half second meanwhile.
  enum class State { hears, connecting, deaf };

  void came_up();
  void failed();
  void deafen();
  void look_later();
  void unblock(RedisConnection::Callback callback);
  void ask();
  void answered(const Reply& reply);
  void refused();
  void close();

  Lanes& lanes_;
  LaneHost host_;

  std::unique_ptr<RedisConnection> redis_;
  std::string client_id_;    // by which CLIENT UNBLOCK knows it
  size_t turn_ = 0;          // which of its lists comes first
  bool blocked_ = false;     // a BLPOP is on its way or at work
  bool was_down_ = false;    // since it last asked: rings may have gone unheard
  bool unblocking_ = false;  // an interrupt is on its way
  bool looking_ = false;     // look_later() was called, and is not through
  unsigned failures_ = 0;    // attempts in a row while Redis was there
  unsigned refusals_ = 0;    // of BLPOPs in a row
  std::atomic<State> state_{State::connecting};
  uint64_t back_at_ms_ = 0;  // until when it stands back, steady

  // Guarded by the mutex of the Lanes.
  std::vector<std::string> keys_;
  bool stale_ = false;  // keys_ has more than what the BLPOP at work was given, or nothing at all
  std::shared_ptr<Lane> heir_;  // which has its mailboxes since Redis had no connection for it
};

}  // namespace letterbox
