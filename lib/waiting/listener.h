// SPDX-License-Identifier: MIT
//
// A Redis connection that only listens for rings: the common part of lanes and the address. A
// listener is *deaf* while Redis is up but refuses the connection, or while it does not yet listen
// for all of its mailboxes. While it is deaf, its users' polls are looked at every half second.
// After its connection was down, they are looked at once, as soon as Redis knows that the old
// connection has ended: Redis may serve the old connection before the new one, for minutes if the
// network has lost its end.
//
// Everything but hears() is for the thread of the host's loop.
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

// The part of a worker that listeners need: its desk, and a connection of its own, which the
// listeners follow.
struct ListenerHost {
  Desk& desk;
  Redis& commands;
  RedisFigures* figures = nullptr;  // shared by this worker's listeners
};

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  virtual ~Listener() = default;

  void start();
  // Ends the connection. The listener hears nothing from now on.
  void close() { redis_.reset(); }
  // Any thread.
  bool hears() const { return state_ != State::deaf; }

 protected:
  enum class State { hears, connecting, deaf };

  // `name` is what CLIENT LIST shows. `room` must outlive the listener.
  Listener(const ListenerHost& host, Room& room, std::string name)
      : host_(host), room_(room), name_(std::move(name)) {}

  // The connection is up; ask() follows.
  virtual void came_up() {}
  // The connection is lost.
  virtual void went_down() {}
  // Redis is up, but this listener's last two attempts to connect failed.
  virtual void no_room() {}
  // Sends Redis a blocking command, if none is at work.
  virtual void ask() = 0;
  // The users whose rings this listener hears.
  virtual std::vector<std::string> users() const = 0;

  Loop& loop() const { return host_.desk.loop; }
  bool up() const { return redis_ && redis_->up(); }
  // Rings may have been missed: has the polls of its users looked at.
  void look();
  void deafen();
  // Redis has refused a command. Asks again after a wait that doubles, and is deaf until then.
  void refused(const Reply& reply);
  void accepted() { refusals_ = 0; }

  const ListenerHost host_;
  Room& room_;
  std::unique_ptr<RedisConnection> redis_;
  std::atomic<State> state_{State::connecting};
  bool blocked_ = false;  // the blocking command is on its way or at work

 private:
  void up_again();
  void end_predecessor();
  void failed();
  void look_later();

  const std::string name_;
  // The connection's id and address, as Redis sees them. No other connection ever has both.
  std::string seen_as_id_;
  std::string seen_as_address_;
  bool was_down_ = false;  // since up_again() last ran
  bool looking_ = false;   // a timer of look_later() is running
  unsigned failures_ = 0;  // failed attempts in a row while Redis was up
  unsigned refusals_ = 0;  // refused commands in a row
};

}  // namespace letterbox
