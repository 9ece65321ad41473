// SPDX-License-Identifier: MIT
#include "redis/cluster.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <map>
#include <utility>

#include "base/limits.h"
#include "base/random.h"
#include "base/rare.h"

namespace letterbox {

namespace {

constexpr uint64_t kLookMs = 1000;
constexpr uint64_t kDoubtMs = 100;
// A doubt has nodes asked at once, if none were for so long.
constexpr uint64_t kLookLeastMs = 20;
// How long the views of all nodes are waited for. A node that hangs has none.
constexpr uint64_t kRoundMs = 300;
// If not all parts were up for so long, those nodes are asked (again) that the settings name.
constexpr uint64_t kLostMs = 5000;

}  // namespace

// The views that nodes give when they are asked side by side.
struct RedisCluster::Round {
  uint64_t asked_ms = 0;  // steady
  size_t open = 0;        // nodes that have not answered
  std::vector<ClusterView> views = {};
  std::vector<RedisAddress> from = {};  // whose views these are
  std::string refusal = {};             // why a node gave none; empty: none refused
  std::optional<Loop::Timer> end = {};
};

RedisCluster::RedisCluster(Loop& loop, const RedisLogin& login, Log& log, std::string name,
                           const Script& greeting, std::vector<ClusterPart::Place> places,
                           const Counters& counters)
    : loop_(loop),
      login_(login),
      log_(log),
      name_(std::move(name)),
      greeting_(greeting),
      counters_(counters) {
  assert(!login.address.nodes.empty() && login.db == 0);
  for (size_t i = 0; i < places.size(); ++i) {
    parts_.push_back(std::make_unique<ClusterPart>(*this, i, std::move(places[i])));
  }
}

RedisCluster::~RedisCluster() {
  for (auto* timer : {&next_look_, &burial_}) {
    if (*timer) loop_.cancel(**timer);
  }
  if (round_ && round_->end) loop_.cancel(*round_->end);
  // What is on its way to a node is answered by nobody, but its callbacks refer to the parts.
  nodes_.clear();
  gone_.clear();
}

void RedisCluster::start() {
  look_from_the_start();
  look_in(kLookMs);
}

void RedisCluster::look_from_the_start() {
  well_ms_ = loop_.clock().steady_ms();
  for (const auto& address : login_.address.nodes) meet(address);
}

RedisCluster::Node& RedisCluster::meet(const RedisAddress& address) {
  for (const auto& node : nodes_) {
    if (node->address == address) return *node;
  }
  auto& node = *nodes_.emplace_back(std::make_unique<Node>());
  node.address = address;
  node.login = login_;
  node.login.address = address;
  node.login.any_role = true;
  node.redis = std::make_unique<RedisConnection>(
      loop_, node.login, log_, name_,
      RedisConnection::Events{.up = [this, &node] { came(*node.redis); },
                              .down = [this, &node] { went(*node.redis); },
                              .failed = [this, &node](std::string_view) { went(*node.redis); },
                              .figures = counters_.figures,
                              .latency = counters_.latency});
  node.redis->start();
  return node;
}

void RedisCluster::came(const RedisConnection& node) {
  for (const auto& part : parts_) part->node_came(node);
  if (!all_up()) doubt();
}

void RedisCluster::went(const RedisConnection& node) {
  for (const auto& part : parts_) part->node_went(node);
}

bool RedisCluster::all_up() const {
  return std::all_of(parts_.begin(), parts_.end(), [](const auto& part) { return part->up(); });
}

// --- what the nodes say --------------------------------------------------------------------------

void RedisCluster::doubt() {
  const uint64_t now = loop_.now_ms();
  if (!round_) look_in(now >= asked_ms_ + kLookLeastMs ? 0 : kDoubtMs);
}

void RedisCluster::look_in(uint64_t ms) {
  const uint64_t at = loop_.clock().steady_ms() + ms;
  if (next_look_ && (*next_look_)->first <= at) return;
  if (next_look_) loop_.cancel(*next_look_);
  next_look_ = loop_.at(at, [this] {
    next_look_.reset();
    look();
  });
}

void RedisCluster::look() {
  assert(!round_);
  const uint64_t now = loop_.clock().steady_ms();
  if (now > well_ms_ + kLostMs) look_from_the_start();
  asked_ms_ = now;
  const auto round = std::make_shared<Round>(Round{.asked_ms = now});
  round_ = round;
  // Held open until all are asked: a connection may answer at once.
  round->open = 1;
  for (const auto& node : nodes_) {
    if (!node->redis->up()) continue;
    ++round->open;
    node->redis->command({"CLUSTER", "NODES"},
                         [this, round, from = node->address](const Reply& reply) {
                           if (reply.ok()) {
                             round->views.push_back(ClusterView::parse(reply.text(), from.host));
                             round->from.push_back(from);
                           } else if (reply.came()) {
                             rare<"a node has no view of a cluster">();
                             round->refusal = reply.error();
                           }
                           if (--round->open == 0) settle(*round);
                         });
  }
  round->end = loop_.at(now + kRoundMs, [this, round] {
    round->end.reset();
    rare<"a node does not give its view in time">();
    settle(*round);
  });
  if (--round->open == 0) settle(*round);
}

void RedisCluster::settle(Round& round) {
  if (round_.get() != &round) return;  // a late view
  if (round.end) loop_.cancel(*std::exchange(round.end, std::nullopt));
  const auto kept = std::exchange(round_, nullptr);
  if (round.views.empty()) {
    explain(round);
  } else {
    place_parts(round);
    forget_unlisted(round);
  }
  if (all_up()) well_ms_ = loop_.now_ms();
  look_in(all_up() ? kLookMs + random_below(kLookMs / 4) : kDoubtMs + random_below(kDoubtMs / 4));
}

void RedisCluster::explain(const Round& round) {
  const auto& node = *nodes_.front();
  const std::string why = round.refusal.empty()
                              ? node.address.text() + ": " + std::string(node.redis->trouble())
                              : "CLUSTER NODES: " + round.refusal;
  for (const auto& part : parts_) part->not_found(why);
}

void RedisCluster::place_parts(const Round& round) {
  for (const auto& view : round.views) {
    for (const auto& node : view.nodes) meet(node.address);
  }
  std::map<std::string, size_t> moved;  // by address
  for (const auto& part : parts_) {
    const auto* node = part->node();
    const auto* present = node != nullptr ? &node->login().address : nullptr;
    if (const auto* owner = owner_of(part->slot(), round.views, present); owner == nullptr) {
      if (part->found_nowhere(round.asked_ms)) ++moved["no node"];
    } else if (part->found_at(*node_at(owner->address), owner->epoch, round.asked_ms)) {
      ++moved[owner->address.text()];
    }
  }
  for (const auto& [where, count] : moved) {
    log_.info("redis cluster: ", count, " of ", parts_.size(), " parts are now at ", where, " (",
              name_, ")");
  }
}

// A node that none of the others knows was removed, or has another address now. (As long as a part
// is not up, that node may be the one that helps: the views may be of nodes which are no longer in
// the cluster. What is on its way there is still answered, if only by the end of its patience.)
void RedisCluster::forget_unlisted(const Round& round) {
  if (!all_up()) return;
  const auto is_known = [&](const Node& node) {
    for (size_t i = 0; i < round.views.size(); ++i) {
      if (round.from[i] == node.address && round.views.size() > 1) continue;
      for (const auto& listed : round.views[i].nodes) {
        if (listed.address == node.address) return true;
      }
    }
    return !node.redis->idle() || std::any_of(parts_.begin(), parts_.end(), [&](const auto& part) {
      return part->node() == node.redis.get();
    });
  };
  const auto unknown = std::stable_partition(nodes_.begin(), nodes_.end(),
                                             [&](const auto& node) { return is_known(*node); });
  if (unknown == nodes_.end()) return;
  rare<"a node of the cluster is not listed any more">();
  for (auto gone = unknown; gone != nodes_.end(); ++gone) {
    for (const auto& part : parts_) part->node_ends(*(*gone)->redis);
  }
  gone_.insert(gone_.end(), std::move_iterator(unknown), std::move_iterator(nodes_.end()));
  nodes_.erase(unknown, nodes_.end());
  if (!burial_) {
    burial_ = loop_.at(0, [this] {
      burial_.reset();
      gone_.clear();
    });
  }
}

}  // namespace letterbox
