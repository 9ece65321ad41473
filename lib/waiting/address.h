// SPDX-License-Identifier: MIT
//
// A program's address: its own list in Redis, which carries the rings for every mailbox that the
// program watches. An Address takes up to 100 elements from the list at a time. Two kinds of pushes
// ring there: those of other programs, and those of this program that it has itself given up
// waiting for. KEYS.md describes the list.
//
// Everything here runs on the thread of its host's loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mailbox/redis_store.h"
#include "waiting/listener.h"

namespace letterbox {

// From now on each message that this worker's store pushes to a mailbox watched by this program
// rings in the room directly, without the address.
void hear_own_pushes(RedisStore& store, Desk& desk, Room& room);

class Address final : public Listener {
 public:
  // For the mailboxes of the host's part of the data. `program` is the name that RedisStore was
  // given.
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
  bool many_at_once_ = true;            // Redis knows BLMPOP (version 7) and allows it
  std::optional<uint64_t> emptied_ms_;  // when the list was last emptied; steady
};

}  // namespace letterbox
