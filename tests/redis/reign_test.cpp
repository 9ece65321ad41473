// SPDX-License-Identifier: MIT
//
// What programs do as they log in, so that ids are never given twice: they note whether it is still
// the same Redis that gives them.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "mailbox/keys.h"
#include "scripts.h"
#include "tests/redis/eventually.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/redis_worker.h"

namespace letterbox::test {
namespace {

// A program's first connection, on the test's own thread.
struct Program {
  explicit Program(RedisLogin its_login) : login(std::move(its_login)) {}

  // The outcome: empty, or why it failed.
  std::string greet() {
    std::string trouble = "neither";
    RedisConnection redis(
        loop, login, log, "program",
        {.up = [&] { trouble.clear(); }, .failed = [&](std::string_view why) { trouble = why; }});
    redis.greet_with(lua::reign, shared_keys(0).of_reign);
    redis.start();
    // Asked before the connection is up.
    redis.command({"GET", shared_keys(0).reign}, [&](const Reply& reply) {
      seen = reply.ok() ? static_cast<uint64_t>(reply.integer()) : 0;
    });
    redis.command({"PING"}, [&](const Reply&) { loop.stop(); });
    loop.run();
    return trouble;
  }

  const SystemClock clock{};
  const RedisLogin login;
  Log log{"test", silence(), Log::Level::info};
  Loop loop{clock};
  uint64_t seen = 0;  // the reign that the first question saw
};

struct Reign {
  std::string log_in() {
    Program program(server.login());
    std::string trouble = program.greet();
    begun = program.seen;
    return trouble;
  }

  RedisServer server{RedisServer::Keeps::everything};
  const SystemClock clock{};
  RedisWorker admin{server.login(), clock};
  uint64_t begun = 0;
};

TEST_CASE_FIXTURE(Reign, "a reign begins with the first login, before anything else is asked") {
  const uint64_t before = clock.wall_ms();
  CHECK(log_in().empty());
  CHECK(begun >= before);
  CHECK(begun <= clock.wall_ms() + 1000);
}

TEST_CASE_FIXTURE(Reign, "further logins are in the same reign") {
  CHECK(log_in().empty());
  const uint64_t first = begun;
  CHECK(log_in().empty());
  CHECK(begun == first);
}

TEST_CASE_FIXTURE(Reign, "with each start of Redis a later reign begins") {
  CHECK(log_in().empty());
  // By the clock of the first program, which was far ahead.
  const uint64_t first = begun + 1'000'000;
  admin.ask({"SET", shared_keys(0).reign, std::to_string(first)});
  server.stop();
  server.start();
  REQUIRE(eventually([&] { return log_in().empty(); }));  // it may still be reading its file
  CHECK(begun == first + 1);
}

TEST_CASE_FIXTURE(Reign,
                  "a replica does not reign, and begins a new reign as it becomes a master") {
  CHECK(log_in().empty());
  const uint64_t first = begun;
  admin.ask({"REPLICAOF", "127.0.0.1", "1"});
  CHECK(log_in() == "it is a replica");
  CHECK(admin.ask({"GET", shared_keys(0).reign}).integer == static_cast<int64_t>(first));
  admin.ask({"REPLICAOF", "NO", "ONE"});
  CHECK(log_in().empty());
  CHECK(begun > first);
}

TEST_CASE_FIXTURE(Reign, "a reign also begins in a Redis that is full") {
  admin.ask({"CONFIG", "SET", "maxmemory", "1"});
  CHECK(log_in().empty());
  CHECK(begun > 0);
}

TEST_CASE_FIXTURE(Reign, "a login fails if the reign is impossible") {
  SUBCASE("no number") { admin.ask({"SET", shared_keys(0).reign, "x"}); }
  SUBCASE("negative") { admin.ask({"SET", shared_keys(0).reign, "-5"}); }
  SUBCASE("sixteen digits") { admin.ask({"SET", shared_keys(0).reign, "1795287654123000"}); }
  CHECK(log_in() == "REIGN " + shared_keys(0).reign + " holds no time that can be");
  admin.ask({"DEL", shared_keys(0).reign});
  const uint64_t before = clock.wall_ms();
  CHECK(log_in().empty());
  CHECK(begun >= before);
}

TEST_CASE_FIXTURE(Reign, "a login fails if the reign can't be written") {
  admin.ask({"RPUSH", shared_keys(0).reign_of, "a list"});
  CHECK(log_in().starts_with("WRONGTYPE"));
  CHECK(begun == 0);
}

}  // namespace
}  // namespace letterbox::test
