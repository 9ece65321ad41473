// SPDX-License-Identifier: MIT
//
// Three nodes of Redis itself, between which slots are moved while commands go on.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "redis/cluster.h"
#include "redis/slot.h"
#include "tests/redis/eventually.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/redis_worker.h"

namespace letterbox::test {
namespace {

const SystemClock kClock;
constexpr size_t kNodes = 3;

// A node, and a connection to it alone.
struct RealNode {
  RealNode() {
    REQUIRE(admin.comes_up());
    id = admin.ask({"CLUSTER", "MYID"}).text;
  }

  const RedisServer::Node ports{RedisServer::spare_port(), RedisServer::spare_port()};
  const std::string port = std::to_string(ports.port);
  const std::string bus_port = std::to_string(ports.bus_port);
  RedisServer server{ports};
  RedisWorker admin{server.login(), kClock};
  std::string id;
};

struct RealCluster {
  RealCluster() {
    constexpr size_t kEach = kSlots / kNodes;
    for (size_t i = 0; i < kNodes; ++i) {
      const std::string first = std::to_string(i * kEach);
      const std::string last = std::to_string(i + 1 == kNodes ? kSlots - 1 : (i + 1) * kEach - 1);
      must(i, {"CLUSTER", "ADDSLOTSRANGE", first, last});
      must(i, {"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
      if (i > 0) must(0, {"CLUSTER", "MEET", "127.0.0.1", nodes[i].port, nodes[i].bus_port});
    }
    REQUIRE(eventually([this] {
      return std::all_of(nodes.begin(), nodes.end(), [](RealNode& node) {
        const std::string info = node.admin.ask({"CLUSTER", "INFO"}).text;
        return info.find("cluster_state:ok") != std::string::npos &&
               info.find("cluster_known_nodes:3") != std::string::npos;
      });
    }));
  }

  void must(size_t node, const std::vector<std::string_view>& words) {
    const Value reply = nodes.at(node).admin.ask(words);
    CAPTURE(reply.error);
    REQUIRE(reply.ok());
  }

  // Whether all nodes know the same epochs and the same owner of the slot. (If a slot is moved on
  // before that, nodes may give themselves the same epoch, and the slot may go back.)
  bool agree(uint16_t slot) {
    std::vector<std::vector<std::pair<int, uint64_t>>> epochs;
    std::vector<int> owners;
    for (auto& node : nodes) {
      const auto view = ClusterView::parse(node.admin.ask({"CLUSTER", "NODES"}).text, "127.0.0.1");
      auto& known = epochs.emplace_back();
      for (const auto& listed : view.nodes) known.emplace_back(listed.address.port, listed.epoch);
      std::sort(known.begin(), known.end());
      const auto* owner = owner_of(slot, {view});
      owners.push_back(owner != nullptr ? owner->address.port : 0);
    }
    return std::count(epochs.begin(), epochs.end(), epochs[0]) == kNodes &&
           std::count(owners.begin(), owners.end(), owners[0]) == kNodes;
  }

  // As `redis-cli --cluster reshard` does it, but one key at a time.
  void move(uint16_t number, size_t from, size_t to) {
    REQUIRE(eventually([&] { return agree(number); }));
    const std::string slot = std::to_string(number);
    must(to, {"CLUSTER", "SETSLOT", slot, "IMPORTING", nodes[from].id});
    must(from, {"CLUSTER", "SETSLOT", slot, "MIGRATING", nodes[to].id});
    while (true) {
      const auto keys = nodes[from].admin.ask({"CLUSTER", "GETKEYSINSLOT", slot, "1"}).texts();
      if (keys.empty()) break;
      must(from, {"MIGRATE", "127.0.0.1", nodes[to].port, keys.front(), "0", "5000"});
    }
    must(to, {"CLUSTER", "SETSLOT", slot, "NODE", nodes[to].id});
    must(from, {"CLUSTER", "SETSLOT", slot, "NODE", nodes[to].id});
    must(3 - from - to, {"CLUSTER", "SETSLOT", slot, "NODE", nodes[to].id});
  }

  std::array<RealNode, kNodes> nodes;
};

// Counts in each part, with several commands under way, and each answer begins the next one.
class Counting {
 public:
  explicit Counting(RealCluster& real, const std::vector<std::string>& tags) {
    login.patience_ms = 10'000;
    RedisAddress seed;
    seed.host = "127.0.0.1";
    seed.port = real.nodes[0].ports.port;
    login.address.nodes = {seed};
    std::vector<ClusterPart::Place> places;
    for (const auto& tag : tags) {
      places.push_back({.slot = slot_of(tag), .greeting_keys = {"{" + tag + "}greeting"}});
      keys.push_back({"{" + tag + "}one", "{" + tag + "}two"});
    }
    cluster = std::make_unique<RedisCluster>(loop, login, log, "test", greeting, places,
                                             RedisCluster::Counters{});
    thread = std::thread([this] { loop.run(); });
    loop.post([this] {
      cluster->start();
      for (size_t part = 0; part < keys.size(); ++part) {
        for (int i = 0; i < 4; ++i) count(part);
      }
    });
  }
  ~Counting() {
    loop.stop();
    thread.join();
  }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;

  // Returns once every part has counted on.
  [[nodiscard]] bool goes_on() {
    const uint64_t until = counted + 50 * keys.size();
    return eventually([&] { return counted >= until || failed > 0; }) && failed == 0;
  }
  // Returns once every command was answered.
  [[nodiscard]] bool ends() {
    ending = true;
    return eventually([&] { return counted + failed == begun; });
  }

  std::atomic<uint64_t> begun{0};
  std::atomic<uint64_t> counted{0};
  std::atomic<uint64_t> failed{0};
  std::vector<std::array<std::string, 2>> keys;  // by part

 private:
  void count(size_t part) {
    ++begun;
    const std::array<std::string_view, 2> names{keys[part][0], keys[part][1]};
    cluster->part(part).eval(script, names, {}, [this, part](const Reply& reply) {
      const bool ok = reply.ok();
      if (ok && !ending) count(part);
      ++(ok ? counted : failed);
    });
  }

  const Script greeting{.sha1 = "-", .source = "redis.call('SET', KEYS[1], 'here') return 1"};
  // (No node ever knows a script by this hash.)
  const Script script{.sha1 = "0123456789012345678901234567890123456789",
                      .source = "redis.call('INCR', KEYS[2]) return redis.call('INCR', KEYS[1])"};
  RedisLogin login;
  Log log{"test", silence(), Log::Level::info};
  Loop loop{kClock};
  std::unique_ptr<RedisCluster> cluster;
  std::atomic<bool> ending{false};
  std::thread thread;
};

TEST_CASE("while slots are moved between nodes each command is carried out and answered once") {
  RealCluster real;
  const std::vector<std::string> tags{"a", "b", "c"};
  Counting counting(real, tags);
  REQUIRE(counting.goes_on());
  std::vector<size_t> at;  // by part: its node
  at.reserve(tags.size());
  for (const auto& tag : tags) {
    at.push_back(std::min<size_t>(slot_of(tag) / (kSlots / kNodes), kNodes - 1));
  }
  for (size_t round = 0; round < kNodes; ++round) {
    for (size_t part = 0; part < tags.size(); ++part) {
      const size_t to = (at[part] + 1) % kNodes;
      real.move(slot_of(tags[part]), at[part], to);
      at[part] = to;
      REQUIRE(counting.goes_on());
    }
  }
  REQUIRE(counting.ends());
  CHECK(counting.failed == 0);
  uint64_t sum = 0;
  for (size_t part = 0; part < tags.size(); ++part) {
    auto& admin = real.nodes[at[part]].admin;
    const uint64_t one = static_cast<uint64_t>(admin.ask({"GET", counting.keys[part][0]}).integer);
    CHECK(admin.ask({"GET", counting.keys[part][1]}).integer == static_cast<int64_t>(one));
    sum += one;
  }
  CHECK(sum == counting.counted);
}

}  // namespace
}  // namespace letterbox::test
