// SPDX-License-Identifier: MIT
//
// One lane: see lanes.h. Everything here is for the thread of its host's loop, except what the
// mutex of the Lanes guards.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "waiting/lanes.h"
#include "waiting/listener.h"

namespace letterbox {

class Lane final : public Listener {
 public:
  Lane(Lanes& lanes, const ListenerHost& host);

  // The lists have changed: asks anew, soon, if it is blocked on the old ones.
  void interrupt_soon();

 private:
  friend class Lanes;

  void came_up() override;
  void went_down() override { client_id_.clear(); }
  void no_room() override;
  void ask() override;
  std::vector<std::string> users() const override;

  std::shared_ptr<Lane> self() { return std::static_pointer_cast<Lane>(shared_from_this()); }
  void interrupt();
  void interrupt_after(uint64_t ms);
  void unblock(RedisConnection::Callback callback);
  void answered(const Reply& reply);

  Lanes& lanes_;

  std::string client_id_;    // by which CLIENT UNBLOCK knows it
  size_t turn_ = 0;          // which of its lists comes first
  bool unblocking_ = false;  // an interrupt is on its way

  // Guarded by the mutex of the Lanes.
  std::vector<std::string> keys_;
  bool stale_ = false;  // keys_ has more than what the BLPOP at work was given, or nothing at all
  std::shared_ptr<Lane> heir_;  // which has its mailboxes since Redis had no connection for it
};

}  // namespace letterbox
