// SPDX-License-Identifier: MIT
//
// When a client gives up on a connection to Redis: after silence, and never while answers flow.
// Redis' side and the time are the test's own.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/log.h"
#include "redis/connection.h"
#include "tests/unit/loop_thread.h"

namespace letterbox::test {
namespace {

constexpr uint64_t kPatienceMs = 400;

// The place of Redis: a socket in a folder of its own.
class Listening {
 public:
  Listening() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    REQUIRE(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(fd_.get(), 8) == 0);
  }
  ~Listening() {
    unlink(path.c_str());
    rmdir(folder_.c_str());
  }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

  Fd next() const { return Fd(accept(fd_.get(), nullptr, nullptr)); }

 private:
  static std::string new_folder() {
    std::string name = "/tmp/letterbox-patience.XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    return name;
  }

  const std::string folder_ = new_folder();
  const Fd fd_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};

 public:
  const std::string path = folder_ + "/redis.sock";
};

// A connection that is logged in, and Redis' end of it.
struct Line {
  std::unique_ptr<RedisConnection> redis;
  Fd end;
  int downs = 0;
  // The answers so far, one letter each: y(es), or a(way).
  std::string answers;
};

struct Patience : LoopThread {
  Patience() {
    login.address.path = listening.path;
    login.patience_ms = kPatienceMs;
    open(leader, [&](RedisConnection::Events events) {
      return std::make_unique<RedisConnection>(loop, login, log, "leader", std::move(events));
    });
    says(leader, "+OK\r\n*1\r\n$6\r\nmaster\r\n+PONG\r\n");
  }
  ~Patience() { halt(); }

  void follow() {
    open(follower, [&](RedisConnection::Events events) {
      return std::make_unique<RedisConnection>(*leader.redis, "follower", std::move(events));
    });
    says(follower, "+OK\r\n+PONG\r\n");
  }

  // Returns once all of its login was asked.
  template <class Make>
  void open(Line& line, const Make& make) {
    on_loop([&] {
      line.redis = make({.down = [&line] { ++line.downs; }});
      line.redis->start();
    });
    line.end = listening.next();
    std::string asked;
    while (asked.find("PING") == std::string::npos) {
      std::array<char, 512> bytes{};
      const ssize_t n = read(line.end.get(), bytes.data(), bytes.size());
      REQUIRE(n > 0);
      asked.append(bytes.data(), static_cast<size_t>(n));
    }
  }

  // Returns once the bytes were read.
  void says(const Line& line, std::string_view bytes) {
    REQUIRE(send(line.end.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
    for (int turn = 0; turn < 2; ++turn) on_loop([] {});
  }

  void ask(Line& line, uint64_t extra_patience_ms = 0) {
    on_loop([&] {
      line.redis->command(
          {"GET", "it"}, [&line](const Reply& reply) { line.answers += reply.ok() ? 'y' : 'a'; },
          extra_patience_ms);
    });
  }

  const Listening listening;
  RedisLogin login;
  const Fd null{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  Log log{"test", null.get(), Log::Level::error};
  Line leader;
  Line follower;
};

TEST_CASE_FIXTURE(Patience, "a Redis that is silent for as long as patience lasts is away") {
  ask(leader);
  ask(leader);
  pass(kPatienceMs - 1);
  CHECK(leader.answers.empty());
  pass(1);
  CHECK(leader.answers == "aa");
  CHECK(leader.downs == 1);
}

TEST_CASE_FIXTURE(Patience, "while answers flow Redis is not away, however many commands wait") {
  for (int i = 0; i < 10; ++i) ask(leader);
  for (int i = 0; i < 9; ++i) {
    pass(kPatienceMs - 1);
    says(leader, "+OK\r\n");
  }
  CHECK(leader.answers == "yyyyyyyyy");
  pass(kPatienceMs - 1);
  CHECK(leader.answers == "yyyyyyyyy");
  pass(1);
  CHECK(leader.answers == "yyyyyyyyya");
}

TEST_CASE_FIXTURE(Patience, "the connection waits for a long answer while its pieces come") {
  follow();
  Line* asked = nullptr;
  SUBCASE("of a leader") { asked = &leader; }
  SUBCASE("of a follower") { asked = &follower; }
  ask(*asked);
  says(*asked, "$3\r\n");
  for (const auto* piece : {"a", "b"}) {
    pass(kPatienceMs - 1);
    says(*asked, piece);
  }
  CHECK(asked->answers.empty());
  says(*asked, "c\r\n");
  CHECK(asked->answers == "y");
  CHECK(leader.downs + follower.downs == 0);
}

TEST_CASE_FIXTURE(Patience, "a command behind one that blocks has only its own patience") {
  ask(leader, 40'000);
  ask(leader);
  pass(600);
  CHECK(leader.answers.empty());
  says(leader, "+OK\r\n");
  pass(kPatienceMs - 1);
  CHECK(leader.answers == "y");
  pass(1);
  CHECK(leader.answers == "ya");
}

TEST_CASE_FIXTURE(Patience, "answers that have come but are not read yet count as answers") {
  // More descriptors are ready than the loop looks at in one turn.
  struct Idle : Loop::Watcher {
    void on_ready(uint32_t) override {}
  } idle;
  std::vector<Fd> others;
  others.reserve(200);
  for (int i = 0; i < 200; ++i) others.emplace_back(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  on_loop([&] {
    for (const auto& other : others) REQUIRE(loop.watch(other.get(), EPOLLIN, &idle));
  });
  ask(leader);
  on_loop([&] {
    REQUIRE(send(leader.end.get(), "+OK\r\n", 5, MSG_NOSIGNAL) == 5);
    clock.pass(2 * kPatienceMs);
  });
  for (int turn = 0; turn < 10; ++turn) on_loop([] {});
  halt();  // before the objects that it watches go
  CHECK(leader.answers == "y");
  CHECK(leader.downs == 0);
}

}  // namespace
}  // namespace letterbox::test
