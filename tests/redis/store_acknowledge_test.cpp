// SPDX-License-Identifier: MIT
//
// The cheap acknowledgement: one line is written, and what it makes superfluous is removed later.
// No reader may see the difference.
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <vector>

#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

struct Acknowledged : Mailboxes {
  bool acknowledge(uint64_t seq, std::string_view client = "tab") {
    const auto known = worker.await<Or<bool>>([&](const auto& then) {
      worker.store.acknowledge("alice", client, id(seq), in(25'000), then);
    });
    REQUIRE(known);
    return *known;
  }
  // Five messages, of which the client has three.
  void three_of_five() {
    push_many(5);
    read_after(0, "tab");
    REQUIRE(acknowledge(3));
    REQUIRE(stored() == 5);
  }
  int64_t stored() { return worker.ask({"LLEN", keys.unacked}).integer; }
};

TEST_CASE_FIXTURE(Acknowledged, "an acknowledgement says whether the client had a line") {
  push();
  CHECK_FALSE(acknowledge(1));
  CHECK(acknowledge(1));
}

TEST_CASE_FIXTURE(Acknowledged, "a line of a client that had none expires") {
  const auto life = [&] { return worker.ask({"PTTL", keys.clients}).integer; };
  three_of_five();
  worker.ask({"DEL", keys.clients});
  CHECK_FALSE(acknowledge(4));
  CHECK(eventually([&] { return life() > 1'000'000; }));
  CHECK(life() < 1'100'000);
}

TEST_CASE_FIXTURE(Acknowledged,
                  "the client's line says which messages it has and until when it is parked") {
  three_of_five();
  const auto clients = view().clients;
  REQUIRE(clients.size() == 1);
  CHECK(clients[0].name == "tab");
  CHECK(clients[0].cursor == id(3));
  CHECK(clients[0].seen_ms == clock.wall_ms());
  CHECK(clients[0].parked);
  clock.pass(25'000);
  CHECK_FALSE(view().clients[0].parked);
}

TEST_CASE_FIXTURE(Acknowledged,
                  "acknowledged messages are not counted, and none of them is the oldest") {
  three_of_five();
  CHECK(view().queued == 2);
  CHECK(view().oldest == id(4));
  CHECK(push().queued == 3);
}

TEST_CASE_FIXTURE(Acknowledged,
                  "messages that all clients have acknowledged are given to no client") {
  three_of_five();
  CHECK(seqs(read_after(0, "new")) == Seqs{4, 5});
  CHECK(stored() == 2);
}

TEST_CASE_FIXTURE(
    Acknowledged,
    "a client that goes back before its acknowledgement misses the acknowledged messages") {
  three_of_five();
  const auto reading = read_after(1, "tab");
  CHECK(seqs(reading) == Seqs{4, 5});
  CHECK(reading.missed == 2);
}

TEST_CASE_FIXTURE(Acknowledged, "messages that a slower client needs are kept for it") {
  push_many(5);
  read_after(2, "phone");
  read_after(2, "tab");
  acknowledge(5);
  CHECK(view().queued == 3);
  CHECK(push().queued == 4);
  CHECK(seqs(read_after(2, "phone")) == Seqs{3, 4, 5, 6});
}

TEST_CASE_FIXTURE(Acknowledged, "an acknowledged message is dropped with the next note or read") {
  three_of_five();
  SUBCASE("a note") { read({.client = "tab", .after = id(3), .limit = 0}); }
  SUBCASE("a read") { read_after(3, "tab"); }
  SUBCASE("without a cursor") { consume("tab"); }
  CHECK(stored() <= 2);
}

TEST_CASE_FIXTURE(Acknowledged, "at most eight messages that were acknowledged one by one stay") {
  push();
  read_after(0, "tab");
  for (uint64_t seq = 1; seq <= 50; ++seq) {
    acknowledge(seq);
    CHECK(push().queued == 1);
    CHECK(stored() <= 8);
  }
  CHECK(seqs(read_after(50, "tab")) == Seqs{51});
}

TEST_CASE_FIXTURE(Acknowledged, "acknowledged messages that stay do not count towards the cap") {
  push_many(5);
  read_after(0, "tab");
  acknowledge(5);
  push_many(40);  // the cap
  const auto reading = read({.client = "tab", .after = id(5), .limit = 100});
  CHECK(reading.count == 40);
  CHECK(reading.missed == 0);
}

TEST_CASE_FIXTURE(Acknowledged, "an older acknowledgement that comes late loses nothing") {
  push_many(5);
  read_after(0, "tab");
  acknowledge(5);
  acknowledge(2);
  push();
  CHECK(seqs(read_after(5, "tab")) == Seqs{6});
}

TEST_CASE_FIXTURE(Acknowledged,
                  "an acknowledgement of an emptied mailbox does no harm to its next messages") {
  three_of_five();
  worker.remove("alice").value();
  acknowledge(3);
  clock.pass(1);
  const auto pushed = push();
  CHECK(pushed.queued == 1);
  CHECK(pushed.id.seq == 1);
  const auto reading = read({.client = "tab", .after = id(3)});
  CHECK(reading.reset);
  CHECK(reading.count == 1);
}

// Each look at it is later than the one before.
class RunningClock final : public Clock {
 public:
  explicit RunningClock(uint64_t wall) : wall_(wall) {}
  uint64_t wall_ms() const override { return wall_ += 10; }
  uint64_t steady_ms() const override { return wall_; }

 private:
  mutable std::atomic<uint64_t> wall_;
};

TEST_CASE_FIXTURE(Acknowledged,
                  "a note that a newer poll has overtaken leaves that poll's watch alone") {
  push();
  // A client went, and came again by another connection before its going was noted.
  const RunningClock earlier(clock.wall_ms() - 15);
  RedisWorker slower(server.login(), earlier, small_limits());
  REQUIRE(slower.comes_up());
  read({.client = "tab", .after = id(1), .watch_until = in(60'000), .park_until = in(25'000)});
  REQUIRE(slower.read({.client = "tab", .after = id(1), .limit = 0}));
  CHECK(view().clients.at(0).parked);
  CHECK(push().waiting);
}

}  // namespace
}  // namespace letterbox::test
