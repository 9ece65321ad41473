// SPDX-License-Identifier: MIT
#include "redis/connection.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "scripts.h"
#include "tests/redis/eventually.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/redis_worker.h"

namespace letterbox::test {
namespace {

const SystemClock kClock;

// On the shared server, emptied of everything else.
struct Connected {
  Connected() {
    REQUIRE(worker.comes_up());
    worker.ask({"FLUSHALL"});
  }
  RedisServer& server = RedisServer::shared();
  RedisWorker worker{server.login(), kClock};
};

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// --- commands ----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Connected, "commands of one turn are answered in order, each once") {
  static constexpr size_t kCommands = 2000;
  const auto answers = worker.await<std::vector<int64_t>>([&](const auto& then) {
    const auto all = std::make_shared<std::vector<int64_t>>();
    for (size_t i = 0; i < kCommands; ++i) {
      worker.redis.command({"INCR", "count"}, [all, then](const Reply& reply) {
        all->push_back(reply.integer());
        if (all->size() == kCommands) then(*all);
      });
    }
  });
  REQUIRE(answers.size() == kCommands);
  for (size_t i = 0; i < answers.size(); ++i) CHECK(answers[i] == static_cast<int64_t>(i) + 1);
}

TEST_CASE_FIXTURE(Connected,
                  "any bytes go to Redis and come back, also more than a socket holds at once") {
  std::string bytes(8'000'000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 % 256);
  CHECK(worker.ask({"SET", "bytes", bytes}).ok());
  CHECK((worker.ask({"GET", "bytes"}).text == bytes));
  CHECK(worker.ask({"SET", "", ""}).ok());
  CHECK(worker.ask({"GET", ""}).text.empty());
}

TEST_CASE_FIXTURE(Connected, "a reply is a text, a number, nothing, or a list of these") {
  worker.ask({"RPUSH", "list", "a", "7", ""});
  CHECK(worker.ask({"LRANGE", "list", "0", "-1"}).texts() ==
        std::vector<std::string>{"a", "7", ""});
  CHECK(worker.ask({"LINDEX", "list", "1"}).integer == 7);
  CHECK(worker.ask({"LLEN", "list"}).integer == 3);
  CHECK(worker.ask({"GET", "nothing"}).nil);
  CHECK_FALSE(worker.ask({"LINDEX", "list", "2"}).nil);
  CHECK(worker.ask({"LRANGE", "nothing", "0", "-1"}).items.empty());
  CHECK(worker.ask({"PING"}).text == "PONG");
}

TEST_CASE_FIXTURE(Connected, "a command that is wrong is refused, and the connection stays up") {
  worker.ask({"SET", "text", "a"});
  const auto refused = worker.ask({"INCR", "text"});
  CHECK(refused.failure == Reply::Failure::refused);
  CHECK(refused.error.starts_with("ERR "));
  CHECK(worker.ask({"NOSUCHCOMMAND"}).failure == Reply::Failure::refused);
  CHECK(worker.ask({"PING"}).ok());
  CHECK(worker.downs == 0);
}

TEST_CASE_FIXTURE(Connected, "a command that blocks has a patience of its own") {
  RedisLogin login = server.login();
  login.patience_ms = 100;
  RedisWorker hasty(login, kClock);
  REQUIRE(hasty.comes_up());
  CHECK(hasty.ask({"BLPOP", "nothing", "0.3"}, 10'000).nil);
  CHECK(hasty.downs == 0);
}

// --- scripts -----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Connected,
                  "scripts that Redis has forgotten are sent again, all calls in order") {
  static constexpr uint64_t kCalls = 50;
  for (const uint64_t before : {uint64_t{0}, kCalls, 2 * kCalls}) {
    worker.ask({"SCRIPT", "FLUSH"});
    const auto seqs = worker.await<std::vector<uint64_t>>([&](const auto& then) {
      const auto all = std::make_shared<std::vector<uint64_t>>();
      for (uint64_t i = 0; i < kCalls; ++i) {
        const std::string element = make_element("mail", "1", i, 0);
        worker.store.push("alice", element, [all, then](const Or<Pushed>& pushed) {
          all->push_back(pushed ? pushed->id.seq : 0);
          if (all->size() == kCalls) then(*all);
        });
      }
    });
    for (uint64_t i = 0; i < kCalls; ++i) CHECK(seqs[i] == before + i + 1);
  }
}

TEST_CASE_FIXTURE(Connected, "each script is called by the hash that Redis gives it") {
  for (const Script* script :
       {&lua::push, &lua::read, &lua::view, &lua::remove, &lua::note, &lua::reign}) {
    for (const Script* form : {script, script->guarded}) {
      CHECK(worker.ask({"SCRIPT", "LOAD", form->source}).text == form->sha1);
    }
  }
}

// --- outages -----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(
    Connected,
    "a connection that Redis closes comes back, and pending commands are answered away") {
  RedisWorker other(server.login(), kClock);
  REQUIRE(other.comes_up());
  const std::string id = std::to_string(worker.ask({"CLIENT", "ID"}).integer);
  worker.loop.post([&] {
    worker.redis.command(
        {"BLPOP", "nothing", "0"}, [](const Reply&) {}, 60'000);
    worker.redis.command({"PING"}, [](const Reply&) {});
  });
  REQUIRE(eventually([&] {
    return other.ask({"CLIENT", "LIST", "ID", id}).text.find("cmd=blpop") != std::string::npos;
  }));
  const auto pending = worker.await<Value>([&](const auto& then) {
    worker.redis.command({"PING"}, [then](const Reply& reply) { then(Value(reply)); });
    other.loop.post([&] {
      other.redis.command({"CLIENT", "KILL", "ID", id}, [](const Reply&) {});
    });
  });
  CHECK(pending.failure == Reply::Failure::away);
  REQUIRE(worker.comes_up());
  CHECK(worker.ups == 2);
  CHECK(worker.downs == 1);
  CHECK(worker.ask({"PING"}).ok());
}

TEST_CASE("a Redis that was not there from the beginning is found when it comes") {
  RedisServer server;
  server.stop();
  RedisWorker worker(server.login(), kClock);
  CHECK(worker.ask({"PING"}).failure == Reply::Failure::away);
  CHECK_FALSE(worker.is_up());
  server.start();
  REQUIRE(worker.comes_up());
  CHECK(worker.ask({"PING"}).ok());
  CHECK(worker.downs == 0);
}

TEST_CASE(
    "a connection comes back after a restart of Redis, commands in between are answered away") {
  RedisServer server(RedisServer::Keeps::everything);
  RedisWorker worker(server.login(), kClock);
  REQUIRE(worker.comes_up());
  for (int restart = 1; restart <= 3; ++restart) {
    CHECK(worker.ask({"INCR", "restarts"}).integer == restart);
    server.stop();
    REQUIRE(eventually([&] { return worker.downs == restart; }));
    const auto before = steady_clock::now();
    CHECK(worker.ask({"INCR", "restarts"}).failure == Reply::Failure::away);
    CHECK(steady_clock::now() - before <
          milliseconds(5'000));  // the answer does not wait for Redis
    server.start();
    REQUIRE(worker.comes_up());
    CHECK(worker.ups == restart + 1);
  }
}

TEST_CASE("a Redis that does not answer is away when patience ends, and is back when it answers") {
  RedisServer server;
  RedisWorker worker(server.impatient_login(), kClock);
  REQUIRE(worker.comes_up());
  server.freeze();
  const auto before = steady_clock::now();
  CHECK(worker.ask({"PING"}).failure == Reply::Failure::away);
  CHECK(steady_clock::now() - before >= milliseconds(199));
  CHECK(eventually([&] { return worker.downs == 1; }));
  // Connecting still works: the kernel does it. The connection is not up before its login was
  // answered.
  CHECK_FALSE(worker.is_up());
  server.thaw();
  REQUIRE(worker.comes_up());
  CHECK(worker.ask({"PING"}).ok());
}

TEST_CASE("a Redis that has become a replica is away, and looked for until it takes writes again") {
  RedisServer server;
  RedisWorker worker(server.login(), kClock);
  RedisWorker admin(server.login(), kClock);
  REQUIRE(worker.comes_up());
  REQUIRE(admin.comes_up());
  REQUIRE(worker.push("alice"));
  admin.ask({"REPLICAOF", "127.0.0.1", "1"});
  const auto pushed = worker.push("alice");
  REQUIRE_FALSE(pushed);
  CHECK(pushed.error().code == Code::store_unavailable);
  REQUIRE(eventually([&] { return worker.downs > 0; }));
  admin.ask({"REPLICAOF", "NO", "ONE"});
  REQUIRE(eventually([&] { return bool(worker.push("alice")); }));
}

TEST_CASE("a Redis that is a replica from the beginning is not up, whatever it answers") {
  RedisServer server;
  RedisWorker admin(server.login(), kClock);
  REQUIRE(admin.comes_up());
  admin.ask({"REPLICAOF", "127.0.0.1", "1"});
  RedisWorker worker(server.login(), kClock);
  CHECK(worker.ask({"PING"}).failure == Reply::Failure::away);
  CHECK(worker.ups == 0);
  admin.ask({"REPLICAOF", "NO", "ONE"});
  CHECK(worker.comes_up());
}

TEST_CASE("a Redis that hangs is away also for a connection that asks nothing") {
  RedisServer server;
  RedisWorker worker(server.impatient_login(), kClock);
  REQUIRE(worker.comes_up());
  server.freeze();
  CHECK(eventually([&] { return worker.downs == 1; }));
  server.thaw();
  CHECK(worker.comes_up());
}

TEST_CASE("a Redis that is out of memory refuses writes, and the connection stays up") {
  RedisServer server;
  RedisWorker worker(server.login(), kClock);
  REQUIRE(worker.comes_up());
  REQUIRE(worker.push("alice"));
  worker.ask({"CONFIG", "SET", "maxmemory", "1"});
  CHECK(worker.ask({"SET", "a", "b"}).failure == Reply::Failure::away);
  CHECK_FALSE(worker.push("alice"));
  CHECK_FALSE(worker.push("a new user"));
  worker.ask({"CONFIG", "SET", "maxmemory", "0"});
  CHECK(worker.push("alice"));
  CHECK(worker.downs == 0);
}

TEST_CASE("a connection may be destroyed with commands on their way, or while Redis is away") {
  RedisServer server;
  RedisWorker worker(server.login(), kClock);
  REQUIRE(worker.comes_up());
  std::atomic<int> answered{0};
  std::unique_ptr<RedisConnection> brief;
  const auto begin = [&] {
    worker.on_loop([&] {
      brief = std::make_unique<RedisConnection>(worker.loop, worker.login, worker.log, "brief",
                                                RedisConnection::Events{});
      brief->start();
      return true;
    });
  };
  const auto end = [&] {
    worker.on_loop([&] {
      brief->command({"PING"}, [&](const Reply&) { ++answered; });
      brief.reset();
      return true;
    });
  };
  begin();
  REQUIRE(eventually([&] { return worker.on_loop([&] { return brief->up(); }); }));
  end();
  CHECK(answered == 0);
  begin();
  end();  // before it was up
  server.freeze();
  begin();
  end();
  server.stop();
  REQUIRE(eventually([&] { return !worker.is_up(); }));
  answered = 0;
  begin();
  end();
  CHECK(answered == 1);  // away, at once
  server.start();
  CHECK(worker.comes_up());
}

// --- following ---------------------------------------------------------------------------------

// Connections that follow a worker's own.
struct Followers {
  Followers(RedisWorker& its_worker, size_t count) : worker(its_worker) {
    worker.on_loop([&] {
      for (size_t i = 0; i < count; ++i) {
        all.push_back(std::make_unique<RedisConnection>(
            worker.redis, "follower",
            RedisConnection::Events{.up = [this] { ++ups; }, .down = [this] { ++downs; }}));
        all.back()->start();
      }
      return true;
    });
  }
  ~Followers() {
    worker.on_loop([&] {
      all.clear();
      return true;
    });
  }
  Followers(const Followers&) = delete;
  Followers& operator=(const Followers&) = delete;

  RedisWorker& worker;
  std::vector<std::unique_ptr<RedisConnection>> all;
  std::atomic<int> ups{0};
  std::atomic<int> downs{0};
};

TEST_CASE("followers come up after their leader, are dropped with it, and come back") {
  RedisServer server;
  RedisWorker admin(server.login(), kClock);
  RedisWorker worker(server.login(), kClock);
  REQUIRE(admin.comes_up());
  REQUIRE(worker.comes_up());
  Followers followers(worker, 10);
  REQUIRE(eventually([&] { return followers.ups == 10; }));
  const std::string id = std::to_string(worker.ask({"CLIENT", "ID"}).integer);
  admin.ask({"CLIENT", "KILL", "ID", id});
  REQUIRE(eventually([&] { return followers.downs == 10 && followers.ups == 20; }));
  CHECK(worker.ups == 2);
}

TEST_CASE("a follower comes back by itself if its leader stays up") {
  RedisServer server;
  RedisWorker worker(server.login(), kClock);
  REQUIRE(worker.comes_up());
  Followers followers(worker, 2);
  REQUIRE(eventually([&] { return followers.ups == 2; }));
  std::string id;
  worker.on_loop([&] {
    followers.all[0]->command({"CLIENT", "ID"},
                              [&](const Reply& reply) { id = std::to_string(reply.integer()); });
    return true;
  });
  REQUIRE(eventually([&] { return worker.on_loop([&] { return !id.empty(); }); }));
  worker.ask({"CLIENT", "KILL", "ID", id});
  REQUIRE(eventually([&] { return followers.ups == 3; }));
  CHECK(followers.downs == 1);
  CHECK(worker.downs == 0);
}

TEST_CASE("a follower hears from its leader that Redis hangs, however long it would block") {
  RedisServer server;
  RedisWorker worker(server.impatient_login(), kClock);
  REQUIRE(worker.comes_up());
  Followers followers(worker, 1);
  REQUIRE(eventually([&] { return followers.ups == 1; }));
  std::atomic<int> away{0};
  worker.on_loop([&] {
    followers.all[0]->command(
        {"BLPOP", "nothing", "40"}, [&](const Reply& reply) { away += reply.ok() ? 0 : 1; },
        40'000);
    return true;
  });
  server.freeze();
  CHECK(eventually([&] { return away == 1; }));
  server.thaw();
  CHECK(eventually([&] { return followers.ups == 2; }));
}

TEST_CASE("while Redis is away only the leader tries to connect, less and less often") {
  RedisServer server;
  RedisWorker worker(server.login(), kClock);
  REQUIRE(worker.comes_up());
  Followers followers(worker, 50);
  REQUIRE(eventually([&] { return followers.ups == 50; }));
  server.stop();
  REQUIRE(eventually([&] { return followers.downs == 50; }));

  // A server in its place that accepts connections, and hangs up.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = server.login().address.path;
  unlink(path.c_str());
  std::copy(path.begin(), path.end(), address.sun_path);
  const Fd listening(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  REQUIRE(bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(listening.get(), 100) == 0);
  const auto begin = steady_clock::now();
  int attempts = 0;
  REQUIRE(eventually([&] {
    for (Fd taken(accept(listening.get(), nullptr, nullptr)); taken;
         taken.reset(accept(listening.get(), nullptr, nullptr))) {
      ++attempts;
    }
    return attempts >= 5;
  }));
  // The back-off between five attempts is at least half of 100, 200, 400 and 800 ms.
  CHECK(steady_clock::now() - begin >= milliseconds(750));
  CHECK(followers.ups == 50);
}

// --- logging in --------------------------------------------------------------------------------

TEST_CASE("a connection logs in as a user of Redis' access lists, and selects its database") {
  RedisServer server;
  RedisWorker admin(server.login(), kClock);
  REQUIRE(admin.comes_up());
  REQUIRE(admin.ask({"ACL", "SETUSER", "letterbox", "on", ">secret words", "~*", "+@all"}).ok());
  RedisLogin login = server.login();
  login.user = "letterbox";
  login.password = "secret words";
  login.db = 1;
  RedisWorker worker(login, kClock);
  REQUIRE(worker.comes_up());
  CHECK(worker.ask({"ACL", "WHOAMI"}).text == "letterbox");
  worker.ask({"SET", "where", "here"});
  CHECK(admin.ask({"GET", "where"}).nil);
  admin.ask({"SELECT", "1"});
  CHECK(admin.ask({"GET", "where"}).text == "here");

  // And again, after each time that the connection broke.
  admin.ask({"CLIENT", "KILL", "USER", "letterbox"});
  REQUIRE(eventually([&] { return worker.ups == 2; }));
  CHECK(worker.ask({"ACL", "WHOAMI"}).text == "letterbox");
  CHECK(worker.ask({"GET", "where"}).text == "here");
}

TEST_CASE("a connection logs in with the password alone") {
  RedisServer server;
  RedisWorker admin(server.login(), kClock);
  REQUIRE(admin.comes_up());
  REQUIRE(admin.ask({"CONFIG", "SET", "requirepass", "secret"}).ok());
  RedisLogin login = server.login();
  login.password = "secret";
  RedisWorker worker(login, kClock);
  REQUIRE(worker.comes_up());
  CHECK(worker.ask({"PING"}).ok());
}

TEST_CASE("a login that fails is reported, and tried again less and less often") {
  RedisServer server;
  RedisWorker admin(server.login(), kClock);
  REQUIRE(admin.comes_up());
  RedisLogin login = server.login();
  std::string reason;
  SUBCASE("the password is wrong") {
    admin.ask({"CONFIG", "SET", "requirepass", "secret"});
    login.password = "wrong";
    reason = "WRONGPASS";
  }
  SUBCASE("the password is missing") {
    admin.ask({"CONFIG", "SET", "requirepass", "secret"});
    reason = "NOAUTH";
  }
  SUBCASE("there is no such user") {
    login.user = "nobody";
    login.password = "wrong";
    reason = "WRONGPASS";
  }
  SUBCASE("there is no such database") {
    login.db = 15;
    reason = "ERR DB index is out of range";
  }
  const Fd log(memfd_create("log", MFD_CLOEXEC));
  const auto attempts = [&] {
    const std::string stats = admin.ask({"INFO", "stats"}).text;
    const std::string_view name = "total_connections_received:";
    return std::stoi(stats.substr(stats.find(name) + name.size()));
  };
  const int before = attempts();
  const auto begin = steady_clock::now();
  RedisWorker worker(login, kClock, {}, "program", log.get());
  bool served = false;
  REQUIRE(eventually([&] {
    served = served || worker.ask({"PING"}).ok();
    return attempts() >= before + 5;
  }));
  // The back-off is at least half of 50, 100, 200 and 400 ms.
  CHECK(steady_clock::now() - begin >= milliseconds(375));
  CHECK(worker.ups == 0);
  // Nothing is done as another user, or in another database.
  CHECK_FALSE(served);

  std::string text(4096, '\0');
  text.resize(
      static_cast<size_t>(std::max<ssize_t>(0, pread(log.get(), text.data(), text.size(), 0))));
  CAPTURE(text);
  CHECK(text.find(" is away (test): " + reason) != std::string::npos);
  CHECK(text.find("wrong") == std::string::npos);  // a password is never logged
}

TEST_CASE("a corrected password is used from the next attempt on") {
  RedisServer server;
  RedisWorker admin(server.login(), kClock);
  REQUIRE(admin.comes_up());
  admin.ask({"CONFIG", "SET", "requirepass", "new"});
  RedisLogin login = server.login();
  login.password = "old";
  RedisWorker worker(login, kClock);
  CHECK_FALSE(worker.ask({"PING"}).ok());
  admin.ask({"CONFIG", "SET", "requirepass", "old"});
  CHECK(worker.comes_up());
}

}  // namespace
}  // namespace letterbox::test
