// SPDX-License-Identifier: MIT
//
// What a mailbox keeps at most, in bytes and in clients.
#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

// With these limits a message of more than 212 bytes is counted: 10,000 bytes for 40 messages and
// seven.
constexpr size_t kBytes = 10'000;

MailboxLimits narrow_limits() {
  MailboxLimits limits = small_limits();
  limits.bytes_kept = kBytes;
  limits.clients = 5;
  return limits;
}

struct Bounds {
  Bounds() {
    REQUIRE(worker.comes_up());
    REQUIRE(worker.ask({"FLUSHALL"}).ok());
    epoch = clock.wall_ms();
  }

  Pushed push(size_t bytes, uint64_t expires = 0) {
    const auto pushed = worker.push("alice", '"' + std::string(bytes, 'x') + '"', expires);
    REQUIRE(pushed);
    return *pushed;
  }
  ReadText read_after(uint64_t seq, std::string client = "") {
    auto reading = worker.read({.client = std::move(client), .after = Cursor{epoch, seq}});
    REQUIRE(reading);
    return *std::move(reading);
  }
  // Reads all of it, in as many answers as that takes; returns what was missed on the way.
  uint64_t read_all(uint64_t seq, uint64_t newest) {
    uint64_t missed = 0;
    while (seq < newest) {
      const auto reading = read_after(seq, "reader");
      missed += reading.missed;
      CHECK(reading.cursor.seq - seq == reading.count + reading.missed);
      seq = reading.cursor.seq;
    }
    return missed;
  }

  std::vector<std::string> kept() {
    return worker.ask({"LRANGE", keys.unacked, "0", "-1"}).texts();
  }
  size_t bytes_kept() {
    size_t bytes = 0;
    for (const auto& element : kept()) bytes += element.size();
    return bytes;
  }
  // The count in `base`; nothing if the mailbox does not count.
  std::optional<size_t> counted() {
    const std::string base = worker.ask({"GET", keys.base}).text;
    const size_t plus = base.find('+');
    if (plus == std::string::npos) return std::nullopt;
    return std::stoul(base.substr(plus + 1));
  }

  RedisServer& server = RedisServer::shared();
  FakeClock clock;
  RedisWorker worker{server.login(), clock, narrow_limits()};
  const MailboxKeys keys{"alice"};
  uint64_t epoch = 0;
};

TEST_CASE_FIXTURE(Bounds,
                  "short messages are not counted: as many as are kept never have too many bytes") {
  for (int i = 0; i < 60; ++i) push(100);
  CHECK(kept().size() == 40);
  CHECK_FALSE(counted());
  CHECK(bytes_kept() < kBytes);
}

TEST_CASE_FIXTURE(
    Bounds, "a mailbox over its bytes drops its oldest, and tells exactly how many were missed") {
  for (int i = 0; i < 30; ++i) push(1000);
  CHECK(bytes_kept() <= kBytes);
  CHECK(counted() == bytes_kept());
  CHECK(kept().size() == 9);
  CHECK(worker.view("alice")->queued == 9);
  CHECK(read_all(0, 30) == 21);
}

TEST_CASE_FIXTURE(Bounds, "one long message among short ones makes them all count") {
  for (int i = 0; i < 10; ++i) push(100);
  push(9'000);
  CHECK(counted() == bytes_kept());
  CHECK(bytes_kept() <= kBytes);
  for (int i = 0; i < 10; ++i) push(150);
  CHECK(counted() == bytes_kept());
  CHECK(bytes_kept() <= kBytes);
  CHECK(read_all(0, 21) == 21 - kept().size());
}

TEST_CASE_FIXTURE(Bounds, "the newest message is kept, however long it is") {
  push(100);
  push(50'000);
  CHECK(kept().size() == 1);
  CHECK(read_all(0, 2) == 1);
  push(100);
  CHECK(kept().size() == 1);
  CHECK(bytes_kept() < 200);
}

TEST_CASE_FIXTURE(Bounds, "an acknowledged message is no longer counted") {
  for (int i = 0; i < 8; ++i) push(1000);
  SUBCASE("if the client reads") { read_after(5, "reader"); }
  SUBCASE("if there is a push") {
    read_after(0, "reader");
    REQUIRE(worker
                .ask({"HSET", keys.clients, "reader",
                      std::to_string(epoch) + " 5 " + std::to_string(clock.wall_ms()) + " 0"})
                .ok());
    push(1000);
  }
  CHECK(kept().size() <= 4);
  CHECK(counted() == bytes_kept());
  CHECK_MESSAGE(read_all(5, 8) == 0, "nothing else is gone");
}

TEST_CASE_FIXTURE(Bounds, "counting ends when all messages have been acknowledged") {
  push(1000);
  push(1000);
  CHECK(counted());
  read_after(2);
  CHECK_FALSE(counted());
  push(10);
  CHECK_FALSE(counted());
}

TEST_CASE_FIXTURE(Bounds, "an expired message is no longer counted") {
  push(1000, clock.wall_ms() + 10);
  push(1000);
  clock.pass(20);
  push(1000);
  CHECK(kept().size() == 2);
  CHECK(counted() == bytes_kept());
}

TEST_CASE_FIXTURE(Bounds, "a mailbox that counted is deleted like any other") {
  push(1000);
  push(1000);
  REQUIRE(worker.remove("alice").value());
  CHECK_FALSE(counted());
  clock.pass(1);
  push(10);
  CHECK(kept().size() == 1);
  CHECK_FALSE(counted());
}

TEST_CASE_FIXTURE(Bounds, "after any pushes and reads, the count is right and within its bound") {
  std::mt19937 chance(7);
  uint64_t newest = 0;
  uint64_t at = 0;
  for (int i = 0; i < 600; ++i) {
    clock.pass(1);
    if (chance() % 3 != 0) {
      const size_t bytes = chance() % 5 == 0 ? chance() % 3'000 : chance() % 200;
      newest = push(bytes, chance() % 8 == 0 ? clock.wall_ms() + chance() % 20 : 0).id.seq;
    } else if (newest > 0) {
      at = std::min(at + chance() % 12, newest);
      read_after(at, chance() % 2 == 0 ? "reader" : "other");
    }
    const auto count = counted();
    if (count) CHECK(*count == bytes_kept());
    CHECK(bytes_kept() <= kBytes);
  }
}

// --- clients -----------------------------------------------------------------------------------

struct Clients : Bounds {
  // A poll that parks, or (with 0) only looks.
  Or<ReadText> poll(std::string client, uint64_t parked_ms = 0, size_t limit = 100) {
    return worker.read({.client = std::move(client),
                        .after = Cursor{epoch, 1},
                        .limit = limit,
                        .park_until = parked_ms > 0 ? clock.wall_ms() + parked_ms : 0});
  }
  std::vector<std::string> names() {
    auto names = worker.ask({"HKEYS", keys.clients}).texts();
    std::sort(names.begin(), names.end());
    return names;
  }
  using Names = std::vector<std::string>;
};

TEST_CASE_FIXTURE(Clients, "a client above the limit takes the place of the one longest unseen") {
  push(10);
  for (const auto* name : {"c", "a", "e", "b", "d"}) {
    REQUIRE(poll(name));
    clock.pass(1);
  }
  REQUIRE(poll("c"));
  REQUIRE(poll("f"));
  CHECK(names() == Names{"b", "c", "d", "e", "f"});
}

TEST_CASE_FIXTURE(Clients, "a parked client keeps its place, however long ago it was seen") {
  push(10);
  REQUIRE(poll("a", 50'000));
  for (const auto* name : {"b", "c", "d", "e"}) {
    clock.pass(1);
    REQUIRE(poll(name));
  }
  REQUIRE(poll("f"));
  CHECK(names() == Names{"a", "c", "d", "e", "f"});
}

TEST_CASE_FIXTURE(Clients,
                  "if all clients are parked a new one is refused, and nothing is changed") {
  push(10);
  for (const auto* name : {"a", "b", "c", "d", "e"}) REQUIRE(poll(name, 50'000));
  const auto refused = poll("f", 50'000);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::too_many_clients);
  CHECK(refused.error().retry_after_ms > 0);
  CHECK(names() == Names{"a", "b", "c", "d", "e"});
  CHECK_MESSAGE(poll("a", 50'000), "a client that is known is not refused");
  clock.pass(50'001);
  CHECK_MESSAGE(poll("f", 50'000), "nor is the new one once another has left");
}

TEST_CASE_FIXTURE(Clients, "no messages are kept for a client that is forgotten") {
  push(10);
  REQUIRE(poll("slow"));
  for (int i = 0; i < 5; ++i) push(10);
  for (const auto* name : {"a", "b", "c", "d", "e"}) {
    clock.pass(1);
    REQUIRE(worker.read({.client = name, .after = Cursor{epoch, 6}}));
  }
  CHECK(worker.view("alice")->queued == 0);
  const auto back = read_after(1, "slow");
  CHECK(back.missed == 5);
  CHECK(back.cursor == Cursor{epoch, 6});
}

TEST_CASE_FIXTURE(Clients,
                  "a client that was forgotten is not made again by a note that it has left") {
  push(10);
  for (const auto* name : {"a", "b", "c", "d", "e", "f"}) {
    REQUIRE(poll(name));
    clock.pass(1);
  }
  REQUIRE(poll("a", 0, 0));
  CHECK(names() == Names{"b", "c", "d", "e", "f"});
  REQUIRE(poll("a", 50'000, 0));
  CHECK_MESSAGE((names() == Names{"a", "c", "d", "e", "f"}), "by a note that it is parked it is");
}

TEST_CASE_FIXTURE(Clients, "the bound holds before the first push") {
  for (int i = 0; i < 50; ++i) {
    clock.pass(1);
    REQUIRE(worker.read({.client = "tab" + std::to_string(i), .after = Cursor{}}));
  }
  CHECK(names().size() == 5);
}

}  // namespace
}  // namespace letterbox::test
