// SPDX-License-Identifier: MIT
//
// Changes of tokens, locks and kicks are heard, and it is noticed if some were not.
#include "mailbox/notices.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "mailbox/keys.h"
#include "mailbox/redis_access.h"
#include "tests/redis/eventually.h"
#include "tests/redis/print.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/redis_worker.h"

namespace letterbox::test {
namespace {

const SystemClock kClock;

using Texts = std::vector<std::string>;

struct Listening {
  explicit Listening(RedisServer& its_server = RedisServer::shared()) : server(its_server) {
    REQUIRE(admin.comes_up());
    REQUIRE(worker.comes_up());
    REQUIRE(admin.ask({"FLUSHALL"}).ok());
  }
  ~Listening() { worker.halt(); }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

  void start() {
    worker.on_loop([this] {
      notices.emplace(
          worker.loop, worker.redis,
          Notices::Events{[this](std::string_view user) { happened(std::string(user)); },
                          [this] { happened("[listening]"); }, [this] { happened("[deaf]"); }});
      notices->start();
      return true;
    });
  }
  // Starts, and ignores what happens meanwhile.
  void listen() {
    start();
    REQUIRE(hears({"[listening]"}));
    forget();
  }

  // Whether exactly that has happened in the end.
  [[nodiscard]] bool hears(const Texts& what) {
    const bool heard = eventually([&] { return all() == what; });
    if (!heard) MESSAGE("what happened: ", doctest::toString(all()));
    return heard;
  }
  Texts all() {
    const std::lock_guard lock(mutex_);
    return happened_;
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    happened_.clear();
  }

  // Leaves a notice.
  void change(const std::string& user) {
    REQUIRE(admin.await<Or<bool>>([&](const auto& then) { access.kick(user, "", 1000, then); }));
  }
  // Returns when the next notice has another millisecond, by Redis' clock.
  void let_time_pass() {
    const auto ms = [this] {
      const auto time = admin.ask({"TIME"}).items;
      return std::stoll(time.at(0).text) * 1000 + std::stoll(time.at(1).text) / 1000;
    };
    REQUIRE(eventually([&, begin = ms()] { return ms() > begin; }));
  }
  // Returns after the next look at the end of the stream.
  void wait_for_another_look() {
    const auto looks = [this] {
      const std::string stats = admin.ask({"INFO", "commandstats"}).text;
      const std::string_view name = "cmdstat_xrevrange:calls=";
      const size_t at = stats.find(name);
      return at == std::string::npos ? 0 : std::stoi(stats.substr(at + name.size()));
    };
    REQUIRE(eventually([&, before = looks()] { return looks() > before; }));
  }
  // Whether the connection that listens was there to be killed.
  bool kill_connection() {
    const std::string list = admin.ask({"CLIENT", "LIST"}).text;
    const size_t name = list.find(" name=letterbox-notices ");
    if (name == std::string::npos) return false;
    const size_t line = list.rfind('\n', name);
    const size_t begin = (line == std::string::npos ? 0 : line + 1) + 3;  // "id="
    const std::string id = list.substr(begin, list.find(' ', begin) - begin);
    return admin.ask({"CLIENT", "KILL", "ID", id}).integer == 1;
  }

  RedisServer& server;
  RedisWorker admin{server.login(), kClock};
  RedisWorker worker{server.login(), kClock};
  RedisAccess access{admin.redis, kClock, 1000};
  std::optional<Notices> notices;

 private:
  void happened(std::string what) {
    const std::lock_guard lock(mutex_);
    happened_.push_back(std::move(what));
  }

  std::mutex mutex_;
  Texts happened_;
};

TEST_CASE_FIXTURE(Listening, "every change is heard, in order") {
  listen();
  for (const auto user : {"alice", "bob", "alice", "carol"}) change(user);
  CHECK(hears({"alice", "bob", "alice", "carol"}));
}

TEST_CASE_FIXTURE(
    Listening,
    "older notices are not heard, but the listener is told that there may have been some") {
  change("alice");
  change("bob");
  start();
  CHECK(hears({"[listening]"}));
  change("carol");
  CHECK(hears({"[listening]", "carol"}));
}

TEST_CASE_FIXTURE(Listening, "many changes at once are all heard") {
  listen();
  Texts all;
  for (int i = 0; i < 3000; ++i) all.push_back("user" + std::to_string(i));
  admin.on_loop([&] {
    for (const auto& user : all) access.lock(user, "", [](const Or<bool>&) {});
    return true;
  });
  CHECK(hears(all));
}

TEST_CASE_FIXTURE(Listening, "if the connection is lost nothing is heard until there is another") {
  listen();
  REQUIRE(kill_connection());
  CHECK(hears({"[deaf]", "[listening]"}));
  change("alice");
  change("bob");
  CHECK(hears({"[deaf]", "[listening]", "alice", "bob"}));
}

TEST_CASE("when Redis is back after an outage, the stream is listened to again") {
  RedisServer server;
  Listening house(server);
  house.listen();
  house.change("alice");
  REQUIRE(house.hears({"alice"}));
  server.stop();
  CHECK(house.hears({"alice", "[deaf]"}));
  server.start();
  CHECK(house.hears({"alice", "[deaf]", "[listening]"}));
  REQUIRE(house.admin.comes_up());
  house.change("bob");
  CHECK(house.hears({"alice", "[deaf]", "[listening]", "bob"}));
}

TEST_CASE_FIXTURE(Listening, "after Redis was emptied, the lost notices count as unheard") {
  listen();
  change("alice");
  change("bob");
  REQUIRE(hears({"alice", "bob"}));
  REQUIRE(admin.ask({"FLUSHALL"}).ok());
  let_time_pass();
  change("carol");
  CHECK(hears({"alice", "bob", "carol", "[listening]"}));
  change("dave");
  CHECK(hears({"alice", "bob", "carol", "[listening]", "dave"}));
}

TEST_CASE_FIXTURE(Listening, "notices are still heard after the stream was deleted") {
  listen();
  change("alice");
  REQUIRE(hears({"alice"}));
  REQUIRE(admin.ask({"DEL", shared_keys(0).notices}).integer == 1);
  let_time_pass();
  change("bob");
  CHECK(hears({"alice", "bob"}));
}

TEST_CASE_FIXTURE(Listening,
                  "a stream that began again by a clock that went back is found after a while") {
  listen();
  change("alice");
  REQUIRE(hears({"alice"}));
  REQUIRE(admin.ask({"DEL", shared_keys(0).notices}).integer == 1);
  REQUIRE(admin.ask({"XADD", shared_keys(0).notices, "5-1", "number", "2", "user", "bob"}).ok());
  CHECK(hears({"alice", "[listening]"}));
  REQUIRE(admin.ask({"XADD", shared_keys(0).notices, "5-2", "number", "3", "user", "carol"}).ok());
  CHECK(hears({"alice", "[listening]", "carol"}));
}

TEST_CASE_FIXTURE(Listening, "while nothing changes the listener is told nothing") {
  listen();
  wait_for_another_look();
  change("alice");
  CHECK(hears({"alice"}));
  wait_for_another_look();
  CHECK(hears({"alice"}));
}

TEST_CASE_FIXTURE(Listening, "it is noticed if notices were trimmed away before they were heard") {
  listen();
  change("alice");
  REQUIRE(hears({"alice"}));
  // Three in one step, of which one is left.
  const std::string script =
      "for i = 1, 3 do redis.call('XADD', KEYS[1], 'MAXLEN', 1, '*', 'number', "
      "redis.call('INCR', KEYS[2]), 'user', 'user' .. i) end";
  REQUIRE(
      admin.ask({"EVAL", script, "2", shared_keys(0).notices, shared_keys(0).notice_count}).ok());
  CHECK(hears({"alice", "user3", "[listening]"}));
  change("bob");
  CHECK(hears({"alice", "user3", "[listening]", "bob"}));
}

TEST_CASE_FIXTURE(Listening, "an entry that is no notice is passed over") {
  listen();
  change("alice");
  REQUIRE(admin.ask({"XADD", shared_keys(0).notices, "*", "anything", "else"}).ok());
  change("bob");
  REQUIRE(admin.ask({"XADD", shared_keys(0).notices, "*", "anything", "else"}).ok());
  wait_for_another_look();
  change("carol");
  CHECK(hears({"alice", "bob", "carol"}));
}

TEST_CASE_FIXTURE(Listening, "a foreign value at the stream's key is waited out") {
  REQUIRE(admin.ask({"SET", shared_keys(0).notices, "x"}).ok());
  start();
  REQUIRE(eventually([this] { return kill_connection(); }));  // the listener came to ask
  REQUIRE(admin.ask({"DEL", shared_keys(0).notices}).ok());
  CHECK(hears({"[listening]"}));
  change("alice");
  CHECK(hears({"[listening]", "alice"}));
}

TEST_CASE_FIXTURE(
    Listening,
    "a foreign value that replaces the stream while it is listened to makes the listener deaf") {
  listen();
  change("alice");
  REQUIRE(hears({"alice"}));
  REQUIRE(admin.ask({"SET", shared_keys(0).notices, "x"}).ok());
  REQUIRE(kill_connection());
  CHECK(hears({"alice", "[deaf]"}));
  REQUIRE(admin.ask({"DEL", shared_keys(0).notices}).ok());
  CHECK(hears({"alice", "[deaf]", "[listening]"}));
}

TEST_CASE_FIXTURE(Listening, "connections lost again and again leave one that listens") {
  REQUIRE(admin.ask({"SET", shared_keys(0).notices, "x"}).ok());
  start();
  for (int i = 0; i < 5; ++i) {
    REQUIRE(eventually([this] { return kill_connection(); }));
  }
  REQUIRE(admin.ask({"DEL", shared_keys(0).notices}).ok());
  REQUIRE(eventually([this] { return !all().empty(); }));
  for (const auto user : {"alice", "bob", "carol"}) change(user);
  CHECK(hears({"[listening]", "alice", "bob", "carol"}));
}

}  // namespace
}  // namespace letterbox::test
