// SPDX-License-Identifier: MIT
#include "redis/redis_parts.h"

#include <cassert>
#include <utility>

namespace letterbox {

RedisParts::RedisParts(Loop& loop, const RedisLogin& login, Log& log, std::string name,
                       const Script& greeting, std::vector<ClusterPart::Place> places,
                       const RedisCluster::Counters& counters)
    : places_(std::move(places)) {
  if (!login.address.nodes.empty()) {
    cluster_ = std::make_unique<RedisCluster>(loop, login, log, std::move(name), greeting, places_,
                                              counters);
    for (size_t i = 0; i < cluster_->size(); ++i) all_.push_back(&cluster_->part(i));
    return;
  }
  assert(places_.size() == 1);
  const auto& keys = places_.front().greeting_keys;
  greeting_keys_.assign(keys.begin(), keys.end());
  one_ = std::make_unique<RedisConnection>(
      loop, login, log, std::move(name),
      RedisConnection::Events{.figures = counters.figures, .latency = counters.latency});
  one_->greet_with(greeting, greeting_keys_);
  all_.push_back(one_.get());
}

void RedisParts::start() {
  if (one_) one_->start();
  if (cluster_) cluster_->start();
}

}  // namespace letterbox
