// SPDX-License-Identifier: MIT
//
// Where a program is rung: a list of its own in Redis, of which this takes many rings at a time,
// however many mailboxes the program watches. What another program pushes, or this one by a
// connection that broke, comes by here. KEYS.md.
//
// On the thread of its host's loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mailbox/redis_store.h"
#include "waiting/listener.h"

namespace letterbox {

// What a worker's store pushes to mailboxes that this program watches itself rings in the room.
void hear_own_pushes(RedisStore& store, Desk& desk, Room& room);

class Address final : public Listener {
 public:
  // `program` as RedisStore was told it.
  Address(const ListenerHost& host, Room& room, std::string_view program);

 private:
  void came_up() override;
  void ask() override;
  std::vector<std::string> users() const override;

  void ask_for_many();
  void ask_for_one();
  void heard_one(std::string_view element);
  void take(const Reply& elements);
  void heard(std::string_view element);

  const std::string key_;
  bool many_at_once_ = true;            // BLMPOP is there: Redis 7, and allowed
  std::optional<uint64_t> emptied_ms_;  // when nothing was left there last; steady
};

}  // namespace letterbox
