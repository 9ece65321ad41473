// SPDX-License-Identifier: MIT
//
// A Redis Cluster as one of its nodes sees it: the reply of CLUSTER NODES, which is described at
// https://redis.io/docs/latest/commands/cluster-nodes/. (CLUSTER SLOTS and SHARDS lack the epochs,
// by which one tells a view that is out of date, and a node that was replaced and is back.) Pure
// functions, for any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "redis/address.h"

namespace letterbox {

struct ClusterView {
  struct Node {
    std::string id;
    RedisAddress address;
    bool failing = false;         // the others can't reach it
    std::string replica_of = {};  // a master's id; empty: it is a master
    // When the node got its slots: a failover or a move of slots makes it larger than any other in
    // the cluster.
    uint64_t epoch = 0;
    std::vector<std::pair<uint16_t, uint16_t>> slots = {};  // from, to; none: it is a replica

    bool owns(uint16_t slot) const;
  };
  std::vector<Node> nodes;

  // `host` is where the node was asked: a node that does not know its own host is there. Lines that
  // can't be read, and nodes without an address, are left out.
  static ClusterView parse(std::string_view text, const std::string& host);
  // HOST:PORT, as nodes write it: no brackets around IPv6, and no host if it is `host`.
  static std::optional<RedisAddress> parse_address(std::string_view text, const std::string& host);
};

// Who has the slot, by the views of several nodes: of different words that with the highest epoch,
// as among the nodes themselves. Of several with that epoch (a node that is known by two addresses)
// the one at `present`, which may be null. Null: nobody.
const ClusterView::Node* owner_of(uint16_t slot, const std::vector<ClusterView>& views,
                                  const RedisAddress* present = nullptr);

}  // namespace letterbox
