// SPDX-License-Identifier: MIT
//
// Steps while Redis Cluster moves their slot from one node to another. A key that is not there (any
// more) is then refused in the middle of a script. The scripts' form for a cluster finds this out
// before it writes.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "mailbox/keys.h"
#include "model/message.h"
#include "redis/slot.h"
#include "scripts.h"
#include "tests/redis/print.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/redis_worker.h"

namespace letterbox::test {
namespace {

const SystemClock kClock;
const std::string kHere = "127.0.0.1";

using Texts = std::vector<std::string>;

struct Node {
  const int port = RedisServer::spare_port();
  const int bus_port = RedisServer::spare_port();
  RedisServer server{RedisServer::Node{port, bus_port}};
  RedisWorker worker{server.login(), kClock};

  Value ask(const std::vector<std::string_view>& words) { return worker.ask(words); }
  std::string id() { return ask({"CLUSTER", "MYID"}).text; }
};

// All slots are at the first node, and nothing is known of Letterbox' own way to find nodes.
struct Moving {
  Moving() {
    REQUIRE(from.worker.comes_up());
    REQUIRE(to.worker.comes_up());
    REQUIRE(from.ask({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"}).ok());
    const std::string port = std::to_string(to.port);
    const std::string bus_port = std::to_string(to.bus_port);
    REQUIRE(from.ask({"CLUSTER", "MEET", kHere, port, bus_port}).ok());
    for (Node* node : {&from, &to}) {
      REQUIRE(eventually([&] {
        const std::string told = node->ask({"CLUSTER", "INFO"}).text;
        return told.find("cluster_state:ok") != std::string::npos &&
               told.find("cluster_known_nodes:2") != std::string::npos &&
               told.find("cluster_slots_ok:16384") != std::string::npos;
      }));
    }
    REQUIRE(from.ask({"SET", reign, "1"}).ok());
    // (A source that is sent again would come without ASKING.)
    REQUIRE(to.ask({"SCRIPT", "LOAD", lua::push.guarded->source}).ok());
  }

  // The keys that push.lua is given.
  std::vector<std::string_view> declared() const {
    return {base, unacked, mailbox, clients, reign};
  }

  // `asking`: as a client does that was sent here by ASK.
  Value push(Node& node, const Script& script, std::string_view options = "", bool asking = false) {
    const std::string now = std::to_string(kClock.wall_ms());
    const std::string element = make_element("mail", "1", kClock.wall_ms(), 0);
    // (Expiries are always due: that is a key that the step is not given, after its first write.)
    const std::array<std::string_view, 16> arguments{
        now, "100",   "16384", "99999999999999", "90000", "99000", "5000", "16384", "99999",
        "",  "60000", "0",     "60000",          element, "1",     options};
    return node.worker.await<Value>([&](const auto& then) {
      if (asking) node.worker.redis.command({"ASKING"}, [](const Reply&) {});
      node.worker.redis.eval(script, declared(), arguments,
                             [then](const Reply& reply) { then(Value(reply)); });
    });
  }

  // All that is kept in the slot, as far as a node has it.
  Texts kept(Node& node) {
    Texts all = node.ask({"CLUSTER", "GETKEYSINSLOT", slot, "100"}).texts();
    std::sort(all.begin(), all.end());
    all.push_back(std::to_string(node.ask({"LLEN", unacked}).integer));
    return all;
  }

  void begin() {
    REQUIRE(to.ask({"CLUSTER", "SETSLOT", slot, "IMPORTING", from.id()}).ok());
    REQUIRE(from.ask({"CLUSTER", "SETSLOT", slot, "MIGRATING", to.id()}).ok());
  }

  Node from;
  Node to;
  const KeyNames names{"site:", kClusterParts};
  const size_t part = names.part_of("alice");
  const std::string base = names.own("base", part, "alice");
  const std::string unacked = names.own("unacked", part, "alice");
  const std::string mailbox = names.own("mailbox", part, "alice");
  const std::string clients = names.own("clients", part, "alice");
  const std::string reign = names.shared("reign", part);
  const std::string slot = std::to_string(slot_of(base));
};

bool says(const Value& value, std::string_view error) { return value.error.starts_with(error); }

// Redis looks for the keys that a script is given before it runs it. If some are missing, Redis 7.0
// says ASK, later ones TRYAGAIN.
bool not_run(const Value& value) { return says(value, "TRYAGAIN") || says(value, "ASK"); }

TEST_CASE_FIXTURE(Moving,
                  "a push while its slot is moved is to be tried again, and stores nothing") {
  REQUIRE(push(from, *lua::push.guarded).ok());
  REQUIRE(from.ask({"HSET", clients, "", "1 1 1 1"}).ok());
  const auto before = kept(from);
  CHECK(before.size() == 6);
  begin();

  SUBCASE("with all keys there that it is given") {
    for (const std::string_view options : {"", "c=key", "r=record"}) {
      CHECK(says(push(from, *lua::push.guarded, options), "TRYAGAIN"));
    }
    CHECK(kept(from) == before);
    // Without the guard it gets as far as the first key that is not there.
    CHECK(push(from, lua::push).error.find("non local key") != std::string::npos);
    CHECK(kept(from) != before);
  }
  SUBCASE("with all these keys gone to the other node") {
    const std::string port = std::to_string(to.port);
    REQUIRE(from.ask({"MIGRATE", kHere, port, "", "0", "5000", "KEYS", base, unacked, mailbox,
                      clients, reign})
                .ok());
    CHECK(not_run(push(from, *lua::push.guarded)));
    CHECK(says(push(to, *lua::push.guarded, "", true), "TRYAGAIN"));
    REQUIRE(to.ask({"CLUSTER", "SETSLOT", slot, "NODE", to.id()}).ok());
    // (A connection that was told ASK is made again.)
    REQUIRE(eventually([&] {
      return from.ask({"CLUSTER", "SETSLOT", slot, "NODE", to.id()}).ok();
    }));
    CHECK(kept(to) == before);
    CHECK(push(to, *lua::push.guarded).ok());
    CHECK(to.ask({"LLEN", unacked}).integer == 2);
    return;
  }
  SUBCASE("with some of them gone") {
    const std::string port = std::to_string(to.port);
    REQUIRE(from.ask({"MIGRATE", kHere, port, unacked, "0", "5000"}).ok());
    CHECK(not_run(push(from, *lua::push.guarded)));
    CHECK(says(push(to, *lua::push.guarded, "", true), "TRYAGAIN"));
    REQUIRE(to.ask({"CLUSTER", "SETSLOT", slot, "NODE", to.id()}).ok());
    return;
  }
}

TEST_CASE_FIXTURE(Moving, "a slot that stays is written again, as before") {
  begin();
  CHECK(not_run(push(from, *lua::push.guarded)));
  REQUIRE(from.ask({"CLUSTER", "SETSLOT", slot, "STABLE"}).ok());
  CHECK(push(from, *lua::push.guarded).ok());
  CHECK(push(from, *lua::push.guarded, "r=record").ok());
  CHECK(from.ask({"LLEN", unacked}).integer == 2);
}

}  // namespace
}  // namespace letterbox::test
