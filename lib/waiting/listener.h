// SPDX-License-Identifier: MIT
//
// A Redis connection that does nothing but listen for rings: what lanes and the address have in
// common. It is *deaf* while Redis is there but not for it, or not yet for all of its mailboxes:
// then their polls are looked at every half second. After it was down they are looked at once, as
// soon as Redis knows that its old connection has ended: that may still be served before the new
// one, minutes long where the network has lost its end.
//
// On the thread of its host's loop, but for hears().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "redis/connection.h"
#include "waiting/poll.h"

namespace letterbox {

class Room;

// A worker as listeners need it: its desk, and a connection of its own, which they follow.
struct ListenerHost {
  Desk& desk;
  RedisConnection& commands;
  RedisFigures* figures = nullptr;  // of the listeners that are its guests
};

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  virtual ~Listener() = default;

  void start();
  // Ends its connection: it hears nothing from now on.
  void close() { redis_.reset(); }
  // Any thread.
  bool hears() const { return state_ != State::deaf; }

 protected:
  enum class State { hears, connecting, deaf };

  // `name` is what CLIENT LIST shows. `room` is there as long as this.
  Listener(const ListenerHost& host, Room& room, std::string name)
      : host_(host), room_(room), name_(std::move(name)) {}

  // It is connected, and will ask.
  virtual void came_up() {}
  // The connection is lost.
  virtual void went_down() {}
  // Redis is there, but refused to connect this twice.
  virtual void no_room() {}
  // Asks Redis by a command that blocks, if none is at work.
  virtual void ask() = 0;
  // Whose rings it hears.
  virtual std::vector<std::string> users() const = 0;

  Loop& loop() const { return host_.desk.loop; }
  bool up() const { return redis_ && redis_->up(); }
  // It may have missed rings: its users' polls are looked at.
  void look();
  void deafen();
  // Redis has refused what was asked: asks again ever more seldom, and is deaf till then.
  void refused(const Reply& reply);
  void accepted() { refusals_ = 0; }

  const ListenerHost host_;
  Room& room_;
  std::unique_ptr<RedisConnection> redis_;
  std::atomic<State> state_{State::connecting};
  bool blocked_ = false;  // what it asked is on its way or at work

 private:
  void up_again();
  void end_predecessor();
  void failed();
  void look_later();

  const std::string name_;
  // Of its connection, as Redis sees it: together no other one ever has them.
  std::string seen_as_id_;
  std::string seen_as_address_;
  bool was_down_ = false;  // since it last asked
  bool looking_ = false;   // look_later() was called, and is not through
  unsigned failures_ = 0;  // attempts in a row while Redis was there
  unsigned refusals_ = 0;  // in a row
};

}  // namespace letterbox
