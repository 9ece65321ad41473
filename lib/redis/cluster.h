// SPDX-License-Identifier: MIT
//
// A Redis Cluster, on one loop: a connection to each node, and the parts of the data (ClusterPart),
// which share these. It asks all nodes for their view of the cluster: once a second, and ten times
// a second while a part is not up. So it hears of replicas that were promoted, of slots that moved,
// and of nodes that were added or removed. For the loop's thread alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "redis/cluster_part.h"
#include "redis/cluster_view.h"
#include "redis/connection.h"
#include "redis/figures.h"
#include "redis/script.h"

namespace letterbox {

class RedisCluster {
 public:
  // As RedisConnection::Events: may be null, and are shared by all connections to nodes.
  struct Counters {
    RedisFigures* figures = nullptr;
    LatencyHistogram* latency = nullptr;
  };

  // `name` is what CLIENT LIST shows. A part is greeted with its keys and the wall clock in ms.
  // REQUIRES: `login` names nodes; it, `log` and `greeting` outlive the cluster.
  RedisCluster(Loop& loop, const RedisLogin& login, Log& log, std::string name,
               const Script& greeting, std::vector<ClusterPart::Place> places,
               const Counters& counters);
  // REQUIRES: the loop has ended.
  ~RedisCluster();
  RedisCluster(const RedisCluster&) = delete;
  RedisCluster& operator=(const RedisCluster&) = delete;

  // Connects, and stays connected until the destructor.
  void start();

  size_t size() const { return parts_.size(); }
  ClusterPart& part(size_t number) { return *parts_.at(number); }

  Loop& loop() const { return loop_; }
  Log& log() const { return log_; }
  const RedisLogin& login() const { return login_; }

 private:
  friend class ClusterPart;

  struct Node {
    RedisAddress address;
    RedisLogin login;
    std::unique_ptr<RedisConnection> redis;
  };
  struct Round;

  const Script& greeting() const { return greeting_; }
  // A part is not up, or may be elsewhere: looks soon.
  void doubt();
  // The connection to the node with this address, which is made if there is none.
  RedisConnection* node_at(const RedisAddress& address) { return meet(address).redis.get(); }

  Node& meet(const RedisAddress& address);
  void came(const RedisConnection& node);
  void went(const RedisConnection& node);
  void look();
  void look_in(uint64_t ms);
  void settle(Round& round);
  void explain(const Round& round);
  void place_parts(const Round& round);
  void forget_unlisted(const Round& round);
  void look_from_the_start();
  bool all_up() const;

  // Constant after construction.
  Loop& loop_;
  const RedisLogin& login_;
  Log& log_;
  const std::string name_;
  const Script& greeting_;
  const Counters counters_;

  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Node>> gone_;  // to be destroyed, but not within their callbacks
  std::vector<std::unique_ptr<ClusterPart>> parts_;
  std::shared_ptr<Round> round_;  // that is under way; null: none
  uint64_t well_ms_ = 0;          // when all parts were last up, or the seeds last met; steady
  uint64_t asked_ms_ = 0;         // when nodes were last asked for it; steady
  std::optional<Loop::Timer> next_look_;
  std::optional<Loop::Timer> burial_;
};

}  // namespace letterbox
