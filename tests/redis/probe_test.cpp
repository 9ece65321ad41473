// SPDX-License-Identifier: MIT
#include "mailbox/probe.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "mailbox/keys.h"
#include "tests/redis/eventually.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/redis_worker.h"

namespace letterbox::test {
namespace {

const SystemClock kClock;

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A server that the test may break.
struct Probing {
  RedisServer server;
  RedisWorker admin{server.login(), kClock};
  RedisWorker worker{server.login(), kClock};
  WriteProbe probe{worker.loop, worker.redis, "letterbox-test"};

  Probing() {
    REQUIRE(admin.comes_up());
    REQUIRE(worker.comes_up());
  }
  ~Probing() { worker.halt(); }
  Probing(const Probing&) = delete;
  Probing& operator=(const Probing&) = delete;

  std::string trouble() {
    return worker.await<std::string>([this](const auto& then) { probe.ask(then); });
  }
  // A probe's result is shared for a moment.
  bool becomes(std::string_view beginning) {
    return eventually([&] { return trouble().starts_with(beginning); });
  }
  bool is_well() {
    return eventually([&] { return trouble().empty(); });
  }
  int64_t writes() {
    const std::string stats = admin.ask({"INFO", "commandstats"}).text;
    const std::string_view name = "cmdstat_set:calls=";
    const size_t at = stats.find(name);
    return at == std::string::npos ? 0 : std::stoll(stats.substr(at + name.size()));
  }
};

TEST_CASE_FIXTURE(Probing, "a Redis that takes writes is well, and the probe's key expires") {
  CHECK(trouble().empty());
  const std::string key = ready_key("letterbox-test", 0);
  CHECK(admin.ask({"GET", key}).integer > 1'700'000'000'000);
  const auto life = admin.ask({"PTTL", key}).integer;
  CHECK(life > 0);
  CHECK(life <= 60'000);
}

TEST_CASE_FIXTURE(Probing, "a Redis with an impossible reign is not well, and the key is named") {
  std::string reign;
  SUBCASE("no number") { reign = "x"; }
  SUBCASE("negative") { reign = "-5"; }
  SUBCASE("sixteen digits") { reign = "1795287654123000"; }
  SUBCASE("two years ahead") { reign = std::to_string(kClock.wall_ms() + 2 * 31'557'600'000); }
  admin.ask({"SET", shared_keys(0).reign, reign});
  CHECK(becomes(shared_keys(0).reign + " in Redis holds no time that can be"));
  admin.ask({"DEL", shared_keys(0).reign});
  CHECK(is_well());
  admin.ask({"HSET", shared_keys(0).reign, "a", "b"});
  CHECK(becomes(shared_keys(0).reign + " can't be read: WRONGTYPE"));
}

TEST_CASE_FIXTURE(Probing, "probes at the same time, or a moment later, share one write") {
  const auto troubles = worker.await<std::vector<std::string>>([&](const auto& then) {
    const auto all = std::make_shared<std::vector<std::string>>();
    for (int i = 0; i < 100; ++i) {
      probe.ask([all, then](const std::string& trouble) {
        all->push_back(trouble);
        if (all->size() == 100) then(*all);
      });
    }
  });
  CHECK(troubles == std::vector<std::string>(100));
  CHECK(trouble().empty());
  CHECK(writes() == 1);
  CHECK(eventually([&] { return trouble().empty() && writes() == 2; }));
}

TEST_CASE_FIXTURE(Probing, "a Redis that hangs is reported after a second, and at every probe") {
  server.freeze();
  for (int i = 0; i < 3; ++i) {
    const auto begin = steady_clock::now();
    CHECK(becomes("Redis has not answered within a second"));
    CHECK(steady_clock::now() - begin < milliseconds(5'000));
  }
  server.thaw();
  CHECK(is_well());
}

TEST_CASE_FIXTURE(Probing, "a Redis that is gone is reported as away, with the reason") {
  server.stop();
  CHECK(becomes("Redis is away: "));
  CHECK(trouble().size() > std::string("Redis is away: ").size());
  server.start();
  CHECK(is_well());
}

TEST_CASE_FIXTURE(Probing, "a good result is not repeated once its connection is lost") {
  CHECK(is_well());
  server.stop();
  // At once: the good result is a moment old.
  CHECK(eventually(
      [&] { return !worker.await<bool>([this](const auto& then) { then(worker.redis.up()); }); }));
  CHECK(trouble().starts_with("Redis is away: "));
  server.start();
  CHECK(is_well());
}

TEST_CASE_FIXTURE(Probing, "a Redis that answers but takes no writes is quoted with its reason") {
  SUBCASE("a replica") {
    admin.ask({"REPLICAOF", "127.0.0.1", "1"});
    CHECK(eventually([&] { return trouble().find("READONLY") != std::string::npos; }));
    admin.ask({"REPLICAOF", "NO", "ONE"});
  }
  SUBCASE("out of memory") {
    admin.ask({"CONFIG", "SET", "maxmemory", "1"});
    CHECK(becomes("Redis takes no write: OOM "));
    admin.ask({"CONFIG", "SET", "maxmemory", "0"});
  }
  SUBCASE("too few replicas") {
    admin.ask({"CONFIG", "SET", "min-replicas-to-write", "1"});
    CHECK(becomes("Redis takes no write: NOREPLICAS "));
    admin.ask({"CONFIG", "SET", "min-replicas-to-write", "0"});
  }
  SUBCASE("a key that this user may not write") {
    admin.ask({"ACL", "SETUSER", "default", "resetkeys", "~mailbox:*"});
    CHECK(becomes("Redis takes no write: NOPERM "));
    admin.ask({"ACL", "SETUSER", "default", "allkeys"});
  }
  CHECK(is_well());
}

TEST_CASE_FIXTURE(Probing, "a password that has become wrong is reported as that") {
  admin.ask({"CONFIG", "SET", "requirepass", "secret"});
  // Connections that are logged in stay so; a new one needs the password.
  const std::string id = std::to_string(worker.ask({"CLIENT", "ID"}).integer);
  admin.ask({"CLIENT", "KILL", "ID", id});
  CHECK(becomes("Redis is away: NOAUTH "));
  admin.ask({"CONFIG", "SET", "requirepass", ""});
  CHECK(is_well());
}

}  // namespace
}  // namespace letterbox::test
