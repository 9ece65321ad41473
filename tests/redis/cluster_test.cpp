// SPDX-License-Identifier: MIT
#include "redis/cluster.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "redis/redis_parts.h"
#include "tests/redis/cluster_house.h"

namespace letterbox::test {
namespace {

RedisAddress at_port(const std::string& host, int port) {
  RedisAddress address;
  address.host = host;
  address.port = port;
  return address;
}

TEST_CASE_FIXTURE(ClusterHouse, "one node leads to all others, and each gets one connection") {
  start_and_come_up();
  for (auto* node : {&a, &b, &c}) CHECK(node->redis().peers() == 1);
  CHECK(c.greetings() == 0);
}

TEST_CASE_FIXTURE(ClusterHouse,
                  "a node of the settings may have another name there than in the cluster") {
  login.resolver = [](const std::string&) { return Hosts(std::vector<std::string>{"127.0.0.1"}); };
  login.address.nodes = {at_port("its-name", a.address().port)};
  start_and_come_up();
  CHECK(said(0, "one") == "a:one");
  // The connection by that name is not kept.
  CHECK(eventually([&] { return a.redis().peers() == 1; }));
  CHECK(is_at(0, a));
}

TEST_CASE_FIXTURE(ClusterHouse, "a node that does not know its own host is where it was asked") {
  const std::string port = std::to_string(a.address().port);
  a.see("0123abcd :" + port + "@1 myself,master - 0 0 1 connected 0-16383\n");
  start();
  REQUIRE(comes_up(0));
  REQUIRE(comes_up(1));
  CHECK(said(1, "one") == "a:one");
}

TEST_CASE_FIXTURE(ClusterHouse,
                  "as long as no node can be reached, commands are away when their patience ends") {
  FakeNode dead("dead");
  login.address.nodes = {dead.address(), a.address()};
  dead.redis().cut_off();
  a.redis().cut_off();
  start();
  const auto lost = ask(0, "one");
  REQUIRE(eventually([&] {
    const std::string why = trouble(0);
    return why.find("closed") != std::string::npos || why.find("reset") != std::string::npos;
  }));
  CHECK(lost->count() == 0);
  clock.pass(kPatienceMs);
  CHECK(lost->said() == "away");
  const auto waits = ask(0, "two");
  a.redis().cut_off(false);
  CHECK(waits->said() == "a:two");
  CHECK(logins(0) == 1);
}

TEST_CASE_FIXTURE(ClusterHouse,
                  "a node that is in no cluster does not keep the others from being found") {
  FakeNode alone("alone");
  alone.see(view({{alone, 0, ""}}));
  login.address.nodes = {alone.address(), a.address()};
  a.redis().cut_off();
  start();
  REQUIRE(looked(alone, 5));
  CHECK(trouble(0) == "no node of the cluster has its slot");
  const auto waits = ask(0, "one");
  // It is tried again and again.
  clock.stop();
  const int before = a.redis().met();
  for (int i = 0; i < 40; ++i) pass(50);
  CHECK(eventually([&] { return a.redis().met() > before; }));
  a.redis().cut_off(false);
  REQUIRE(eventually([&] {
    pass(2);
    return waits->count() > 0;
  }));
  CHECK(waits->said() == "a:one");
  // All is well, and it is of no use.
  CHECK(eventually([&] {
    pass(50);
    return alone.redis().peers() == 0;
  }));
}

TEST_CASE_FIXTURE(
    ClusterHouse,
    "a cluster that is back at other addresses is found by the names of the settings") {
  std::atomic<bool> moved{false};
  login.resolver = [&](const std::string&) {
    return Hosts(std::vector<std::string>{moved ? "127.0.0.2" : "127.0.0.1"});
  };
  login.address.nodes = {at_port("its-name", a.address().port)};
  start_and_come_up();
  FakeNode new_a("A", "127.0.0.2", a.address().port);
  FakeNode new_b("B", "127.0.0.2", b.address().port);
  const std::string now = view({{new_a, 1, "0-8191"}, {new_b, 2, "8192-16383"}});
  new_a.see(now);
  new_b.see(now);
  moved = true;
  for (auto* node : {&a, &b, &c}) node->redis().cut_off();
  REQUIRE(goes_down(0));
  REQUIRE(goes_down(1));
  clock.pass(5001);
  REQUIRE(comes_up(0));
  REQUIRE(comes_up(1));
  CHECK(said(0, "one") == "A:one");
  CHECK(said(1, "two") == "B:two");
  CHECK(logins(0) == 2);
  CHECK(logins(1) == 2);
}

TEST_CASE_FIXTURE(ClusterHouse,
                  "a node that is removed is forgotten, after its commands were answered") {
  start_and_come_up();
  a.redis().be_silent();
  const auto late = ask(0, "one");
  REQUIRE(eventually([&] { return a.heard().size() == 1; }));
  see(view({{c, 5, "0-8191"}, {b, 2, "8192-16383"}}));
  REQUIRE(comes_to(0, c));
  CHECK(said(0, "two") == "c:two");
  REQUIRE(looked(c, 3));
  CHECK(late->count() == 0);
  CHECK(a.redis().peers() == 1);
  SUBCASE("by the node") { a.redis().be_silent(false); }
  SUBCASE("by the end of their patience") { clock.pass(kPatienceMs); }
  CHECK(late->said() == "away");
  CHECK(eventually([&] { return a.redis().peers() == 0; }));
  CHECK(said(0, "three") == "c:three");
}

TEST_CASE_FIXTURE(ClusterHouse, "a node that is lost, removed and back has another login") {
  start_and_come_up();
  a.redis().cut_off();
  see(view({{b, 2, "8192-16383"}}));
  REQUIRE(eventually([&] { return trouble(0) == "no node of the cluster has its slot"; }));
  a.redis().cut_off(false);
  see(usual());
  REQUIRE(comes_up(0));
  CHECK(logins(0) == 2);
}

TEST_CASE_FIXTURE(ClusterHouse,
                  "a user that may not ask for the nodes learns that from the trouble") {
  see("-NOPERM this user has no permissions to run the 'cluster|nodes' command");
  start();
  REQUIRE(eventually([&] { return trouble(0).starts_with("CLUSTER NODES: NOPERM"); }));
  CHECK_FALSE(is_up(0));
  see(usual());
  REQUIRE(comes_up(0));
}

TEST_CASE_FIXTURE(ClusterHouse,
                  "a node that hangs does not keep parts from being found by the others' views") {
  start_and_come_up();
  b.redis().be_silent();
  see(at(c, 5));
  REQUIRE(comes_to(0, c));
  CHECK(said(0, "one") == "c:one");
  // Its view, which is late, is no harm.
  b.redis().be_silent(false);
  CHECK(said(1, "two") == "b:two");
  REQUIRE(looked(b));
}

TEST_CASE_FIXTURE(ClusterHouse,
                  "a cluster is destroyed while its nodes are asked for their views") {
  start_and_come_up();
  for (auto* node : {&a, &b, &c}) node->redis().be_silent();
  const int before = b.looks();
  REQUIRE(eventually([&] { return b.looks() > before; }));
  end();
  CHECK_FALSE(thread.joinable());
}

// --- the parts of the data -----------------------------------------------------------------------

TEST_CASE_FIXTURE(ClusterHouse, "the data of a cluster has the parts that it was given") {
  login.address.nodes = {a.address()};
  std::vector<ClusterPart::Place> places{{.slot = 0, .greeting_keys = {"{0}"}},
                                         {.slot = 10'000, .greeting_keys = {"{1}"}}};
  std::optional<RedisParts> parts;
  parts.emplace(loop, login, log, "test", greeting, places, RedisCluster::Counters{});
  thread = std::thread([this] { loop.run(); });
  on_loop([&] { parts->start(); });
  REQUIRE(parts->all().size() == 2);
  CHECK(on_loop([&] { return begin(*parts->all()[1], "one"); })->said() == "b:one");
  CHECK(on_loop([&] { return parts->all()[1]->part(); }) == 1);
  loop.stop();
  thread.join();
  parts.reset();
}

TEST_CASE_FIXTURE(ClusterHouse,
                  "the data of one Redis has one part, which is greeted at each login") {
  login.address = a.address();
  login.any_role = true;  // the fake node has no role
  std::vector<ClusterPart::Place> places{{.slot = 0, .greeting_keys = {"{0}"}}};
  std::optional<RedisParts> parts;
  parts.emplace(loop, login, log, "test", greeting, places, RedisCluster::Counters{});
  thread = std::thread([this] { loop.run(); });
  on_loop([&] { parts->start(); });
  REQUIRE(parts->all().size() == 1);
  CHECK(on_loop([&] { return begin(*parts->all()[0], "one"); })->said() == "a:one");
  CHECK(a.greetings() == 1);
  CHECK(a.looks() == 0);
  loop.stop();
  thread.join();
  parts.reset();
}

}  // namespace
}  // namespace letterbox::test
