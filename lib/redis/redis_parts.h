// SPDX-License-Identifier: MIT
//
// All parts of the data, on one loop: of one Redis, which has one part, or of a cluster. For the
// loop's thread alone.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "redis/cluster.h"
#include "redis/connection.h"
#include "redis/redis.h"

namespace letterbox {

class RedisParts {
 public:
  // As RedisCluster. One Redis is greeted with the keys of its only part in each login.
  // REQUIRES: unless `login` names the nodes of a cluster, there is one place.
  RedisParts(Loop& loop, const RedisLogin& login, Log& log, std::string name,
             const Script& greeting, std::vector<ClusterPart::Place> places,
             const RedisCluster::Counters& counters);
  RedisParts(const RedisParts&) = delete;
  RedisParts& operator=(const RedisParts&) = delete;

  // Connects, and stays connected until the destructor.
  void start();

  // By number.
  const std::vector<Redis*>& all() const { return all_; }

 private:
  const std::vector<ClusterPart::Place> places_;
  std::vector<std::string_view> greeting_keys_;  // of one Redis
  std::unique_ptr<RedisConnection> one_;         // null: it is a cluster
  std::unique_ptr<RedisCluster> cluster_;        // null: it is not
  std::vector<Redis*> all_;
};

}  // namespace letterbox
