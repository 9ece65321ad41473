// SPDX-License-Identifier: MIT
//
// A Redis that is known by a name: the name is looked up off the loop, and may stand for several
// addresses.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "redis/connection.h"
#include "tests/redis/eventually.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/redis_worker.h"
#include "tests/unit/fake_name_server.h"

namespace letterbox::test {
namespace {

const SystemClock kClock;
const std::string kHere = "127.0.0.1";
const std::string kBeside = "127.0.0.2";

// A resolver that knows one name.
class Names : public FakeNameServer {
 public:
  explicit Names(std::vector<std::string> hosts) : FakeNameServer(one_name(std::move(hosts))) {}

  RedisLogin login(int port) const {
    RedisLogin login;
    login.address.host = "redis.test";
    login.address.port = port;
    login.patience_ms = 10'000;
    login.resolver = resolver();
    return login;
  }
  void stand_for(std::vector<std::string> hosts) { knows(one_name(std::move(hosts))); }

 private:
  static Resolver one_name(std::vector<std::string> hosts) {
    return [hosts = std::move(hosts)](const std::string& host) -> Hosts {
      if (host != "redis.test") return "no such host: " + host;
      return hosts;
    };
  }
};

TEST_CASE(
    "a name is looked up once for a worker and its followers, and again when they come back") {
  const int port = RedisServer::spare_port();
  RedisServer server(kHere, port);
  Names names({kHere});
  RedisWorker worker(names.login(port), kClock);
  REQUIRE(worker.comes_up());
  std::atomic<int> ups{0};
  std::vector<std::unique_ptr<RedisConnection>> followers;
  worker.on_loop([&] {
    for (int i = 0; i < 20; ++i) {
      followers.push_back(std::make_unique<RedisConnection>(
          worker.redis, "follower", RedisConnection::Events{.up = [&] { ++ups; }}));
      followers.back()->start();
    }
    return true;
  });
  REQUIRE(eventually([&] { return ups == 20; }));
  CHECK(names.asked() == 1);
  worker.ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"});
  REQUIRE(eventually([&] { return ups == 40; }));
  CHECK(names.asked() == 2);
  worker.on_loop([&] {
    followers.clear();
    return true;
  });
}

TEST_CASE("each address that a name stands for is tried in turn, and commands wait for that") {
  const int port = RedisServer::spare_port();
  RedisServer server(kHere, port);
  Names names({"::1", kBeside, kHere});
  RedisWorker worker(names.login(port), kClock);
  CHECK(worker.ask({"PING"}).ok());
  CHECK(worker.ups == 1);
  CHECK(names.asked() == 1);
}

TEST_CASE("an address at which a replica answers is passed over for the master's") {
  const int port = RedisServer::spare_port();
  RedisServer replica(kBeside, port);
  RedisServer master(kHere, port);
  RedisWorker admin(replica.login(), kClock);
  REQUIRE(admin.comes_up());
  admin.ask({"REPLICAOF", kHere, std::to_string(port)});
  Names names({kBeside, kHere});
  RedisWorker worker(names.login(port), kClock);
  REQUIRE(worker.comes_up());
  CHECK(worker.ask({"SET", "a", "b"}).ok());
}

TEST_CASE("a name that comes to stand for another Redis is followed there") {
  const int port = RedisServer::spare_port();
  RedisServer first(kHere, port);
  RedisServer second(kBeside, port);
  Names names({kHere});
  RedisWorker worker(names.login(port), kClock);
  REQUIRE(worker.comes_up());
  worker.ask({"SET", "where", "first"});
  names.stand_for({kBeside});
  first.stop();
  REQUIRE(eventually([&] { return worker.ups == 2; }));
  CHECK(worker.ask({"GET", "where"}).nil);
}

TEST_CASE(
    "while a resolver hangs the loop goes on, commands are answered away, and later it is up") {
  const int port = RedisServer::spare_port();
  RedisServer server(kHere, port);
  Names names({kHere});
  names.hang();
  RedisLogin login = names.login(port);
  login.patience_ms = 200;
  RedisWorker worker(login, kClock);
  for (int again = 0; again < 3; ++again) {
    CHECK(worker.ask({"PING"}).failure == Reply::Failure::away);
  }
  CHECK(worker.on_loop([&] { return std::string(worker.redis.trouble()); }).find("redis.test") !=
        std::string::npos);
  CHECK(worker.on_loop([] { return true; }));
  CHECK(names.asked() == 1);  // one thread hangs, not one for each attempt
  names.hang(false);
  REQUIRE(worker.comes_up());
  CHECK(worker.ask({"PING"}).ok());
}

TEST_CASE("a connection whose resolver hangs may be destroyed") {
  Names names({kHere});
  names.hang();
  {
    RedisWorker worker(names.login(1), kClock);
    REQUIRE(eventually([&] { return names.asked() == 1; }));
  }
  names.hang(false);
}

TEST_CASE("a Redis with an unknown name is away, and the log says why") {
  Names names({kHere});
  RedisLogin login = names.login(1);
  login.address.host = "elsewhere.test";
  RedisWorker worker(login, kClock);
  REQUIRE(eventually([&] { return names.asked() >= 2; }));
  CHECK(worker.ups == 0);
  CHECK(worker.on_loop([&] { return std::string(worker.redis.trouble()); }) ==
        "no such host: elsewhere.test");
}

}  // namespace
}  // namespace letterbox::test
