// SPDX-License-Identifier: MIT
//
// --check, of a Redis Cluster: whether it is one, whether each slot is served, and what happens if
// a node dies.
#include <algorithm>
#include <string>

#include "check.h"
#include "redis/cluster_view.h"
#include "redis/slot.h"

namespace letterbox {

namespace {

using Level = Finding::Level;

// Of the masters with the fewest replicas: one of them, and how many those are.
struct Fewest {
  std::string master;
  size_t replicas = SIZE_MAX;
};

Fewest fewest_replicas(const ClusterView& view) {
  Fewest fewest;
  for (const auto& master : view.nodes) {
    if (master.slots.empty()) continue;
    const auto replicas =
        static_cast<size_t>(std::ranges::count_if(view.nodes, [&](const auto& node) {
          return !node.failing && node.replica_of == master.id;
        }));
    if (replicas < fewest.replicas) fewest = {master.address.text(), replicas};
  }
  return fewest;
}

Findings findings_of_replicas(const ClusterView& view, size_t wanted) {
  const Fewest fewest = fewest_replicas(view);
  if (fewest.master.empty()) return {};
  const std::string has =
      "the master at " + fewest.master + " has " + std::to_string(fewest.replicas) + " replicas";
  if (fewest.replicas < wanted) {
    return {
        {Level::error, has + ", so pushes to its part of the users get 503: --redis-replicas is " +
                           std::to_string(wanted) +
                           ". Add replicas (`redis-cli --cluster add-node … "
                           "--cluster-slave`), or lower --redis-replicas"}};
  }
  if (fewest.replicas == 0) {
    return {{Level::warning, has +
                                 ": if it dies, its part of the users waits until it is back. Add "
                                 "one: `redis-cli --cluster add-node … --cluster-slave`"}};
  }
  return {{Level::ok, "each master has a replica"}};
}

}  // namespace

Findings findings_of_cluster(const RedisInfo& info, const ClusterTold& told, const Wants& wants) {
  const bool is_node = info.text("cluster_enabled") == "1";
  if (!wants.cluster && !is_node) return {};
  if (!wants.cluster) {
    return {{Level::error,
             "Redis is a node of a cluster, and has only a part of the keys. Name some nodes: "
             "`--redis cluster:HOST:PORT,HOST:PORT`"}};
  }
  if (!is_node) {
    return {{Level::error, "Redis is no node of a cluster. Leave `cluster:` out of --redis"}};
  }
  // (That CLUSTER is not allowed has been found.)
  if (told.info.empty() || told.nodes.empty()) return {};
  Findings found;
  const RedisInfo cluster(told.info);
  const uint64_t served = cluster.number("cluster_slots_ok").value_or(0);
  if (cluster.text("cluster_state") != "ok" || served < kSlots) {
    found.push_back({Level::error, "the cluster serves " + std::to_string(served) + " of " +
                                       std::to_string(kSlots) +
                                       " slots. See `redis-cli --cluster check HOST:PORT`"});
  } else {
    found.push_back({Level::ok, "the cluster serves all slots, with " +
                                    std::string(cluster.text("cluster_size")) + " masters"});
  }
  if (told.full_coverage == "yes") {
    found.push_back(
        {Level::warning,
         "while one master is away the cluster refuses the users of all others too "
         "(`cluster-require-full-coverage yes`). Run `redis-cli CONFIG SET "
         "cluster-require-full-coverage no` on each node, and write it into redis.conf"});
  }
  std::ranges::move(findings_of_replicas(ClusterView::parse(told.nodes, ""), wants.replicas),
                    std::back_inserter(found));
  return found;
}

}  // namespace letterbox
