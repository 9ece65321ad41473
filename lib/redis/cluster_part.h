// SPDX-License-Identifier: MIT
//
// The part of a Redis Cluster's data that is in one slot. Commands go to the node that has the
// slot, over the connection that all parts there share. If that node refuses one because it has not
// got the slot (any more), or not yet all of it, or because the cluster is down, the command was
// not carried out: it waits here, and so does every later one, until the part is up again or the
// command's patience ends. For the thread of the cluster's loop alone.
//
//     away ----> greeting ----> up      the node with the slot is known; it took the greeting
//      ^            |  ^         |
//      |            |  +---------+      a command was refused, or the node got its slots again
//      +------------+------------+      the node can't be reached, or nobody has the slot
//
// The greeting is a script that runs before any other command whenever a node gets the slot: it
// finds out in which reign the node is, and so whether the node may lack what was written last
// (reign.lua). A node that takes it has the whole slot, and serves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "redis/command.h"
#include "redis/connection.h"
#include "redis/redis.h"

namespace letterbox {

class RedisCluster;

class ClusterPart final : public Redis {
 public:
  // What a part needs to know of itself: its slot, and the keys of the greeting, which are there.
  struct Place {
    uint16_t slot = 0;
    std::vector<std::string> greeting_keys = {};
  };

  ClusterPart(RedisCluster& cluster, size_t number, Place place);
  ~ClusterPart() override;
  ClusterPart(const ClusterPart&) = delete;
  ClusterPart& operator=(const ClusterPart&) = delete;

  Loop& loop() const override;
  Log& log() const override;
  const RedisLogin& login() const override;
  size_t part() const override { return number_; }
  // (False already as the followers of a lost connection are told.)
  bool up() const override { return state_ == State::up && node_->up(); }
  std::string_view trouble() const override { return trouble_; }
  uint64_t logins() const override { return logins_; }
  void eval(const Script& script, std::span<const std::string_view> keys,
            std::span<const std::string_view> arguments, Callback callback,
            Hurry hurry = Hurry::now) override;

  // The rest is for the cluster.
  uint16_t slot() const { return place_.slot; }
  // The connection to the node that has the slot, as far as is known; null: nobody has it.
  const RedisConnection* node() const { return node_; }
  // The slot is at this node, which got its slots at `epoch`, by views that were asked for at
  // `asked_ms` (steady). True: it was at another one.
  bool found_at(RedisConnection& node, uint64_t epoch, uint64_t asked_ms);
  // As found_at(): by these views nobody has the slot.
  bool found_nowhere(uint64_t asked_ms);
  // No node gave a view: why.
  void not_found(std::string_view why);
  // The connection to this node is up; it is lost, or can't be made; it is about to be destroyed.
  void node_came(const RedisConnection& node);
  void node_went(const RedisConnection& node);
  void node_ends(const RedisConnection& node);

 private:
  enum class State { away, greeting, up };

  // A command on its way. Kept until it is answered, since it may have to be sent again.
  struct Command {
    std::string text;
    std::optional<ScriptCall> call;
    Callback callback;
    uint64_t extra_patience_ms = 0;
    Hurry hurry = Hurry::now;
    uint64_t number = 0;       // in the order of begin()
    uint64_t deadline_ms = 0;  // until when it may wait here; steady
    // To which node it was sent last, and logins() then.
    const RedisConnection* node = nullptr;
    uint64_t login = 0;
  };
  using CommandPtr = std::unique_ptr<Command>;

  void ask(std::span<const std::string_view> words, Callback callback, uint64_t extra_patience_ms,
           Hurry hurry) override;
  void lead(RedisConnection& follower) override;
  void let_go(RedisConnection& follower) override;
  void misled(std::string_view why) override;

  bool may_wait() const;
  void begin(CommandPtr command);
  void go(CommandPtr command);
  void wait(CommandPtr command);
  void send(CommandPtr command);
  void answered(CommandPtr command, const Reply& reply);
  void doubt(std::string_view why);
  void move_to(RedisConnection* node);
  void greet();
  void greeted(const Reply& reply);
  void came_up(uint64_t reign);
  void go_away(std::string_view why);
  void greet_in(uint64_t ms);
  void expire();

  RedisCluster& cluster_;
  const size_t number_;
  const Place place_;

  State state_ = State::away;
  RedisConnection* node_ = nullptr;
  uint64_t epoch_ = 0;
  uint64_t epoch_heard_ms_ = 0;  // when a view last had this epoch; steady
  uint64_t hinted_ms_ = 0;       // when a node last said that the slot is elsewhere; steady
  uint64_t greetings_ = 0;       // so far: an answer to an older one says nothing
  uint64_t refused_in_a_row_ = 0;
  uint64_t logins_ = 0;
  // The node at which the part was last up, by which login there, and in which reign.
  const RedisConnection* was_at_ = nullptr;
  uint64_t was_at_login_ = 0;
  uint64_t was_reign_ = 0;
  std::string trouble_ = "nobody was asked yet where its slot is";
  uint64_t commands_ = 0;           // so far
  std::deque<CommandPtr> waiting_;  // by number
  std::vector<RedisConnection*> followers_;
  std::optional<Loop::Timer> greet_again_;
  std::optional<Loop::Timer> doubts_;
  std::optional<Loop::Timer> expiry_;
};

}  // namespace letterbox
