// SPDX-License-Identifier: MIT
//
// One lane: see lanes.h. Everything here is for the thread of its host's loop, except the members
// that the mutex of the Lanes guards.
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

  // The lists have changed: if a BLPOP over the old lists is at work, the lane interrupts it soon
  // and asks for the new ones.
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
  void unblock(Redis::Callback callback);
  void answered(const Reply& reply);

  Lanes& lanes_;

  std::string client_id_;    // the lane's connection, for CLIENT UNBLOCK
  size_t turn_ = 0;          // counts the BLPOPs; each list in turn comes first
  bool unblocking_ = false;  // an interrupt is on its way

  // Guarded by the mutex of the Lanes.
  std::vector<std::string> keys_;
  bool stale_ = false;          // keys_ has a key that the BLPOP at work lacks, or keys_ is empty
  std::shared_ptr<Lane> heir_;  // the lane that took over this lane's mailboxes; null: none
};

}  // namespace letterbox
