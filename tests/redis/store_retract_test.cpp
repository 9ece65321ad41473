// SPDX-License-Identifier: MIT
//
// Messages that are retracted, and the placeholders they leave.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

struct Retracting : Mailboxes {
  bool retract(const Cursor& message) {
    const auto retracted = worker.retract("alice", message);
    REQUIRE(retracted);
    return *retracted;
  }
  std::vector<std::string> kept() {
    return worker.ask({"LRANGE", keys.unacked, "0", "-1"}).texts();
  }
  std::string base() { return worker.ask({"GET", keys.base}).text; }
  Cursor collapse(std::string_view key) {
    const auto pushed = worker.push("alice", "1", PushOptions{.collapse = std::string(key)});
    REQUIRE(pushed);
    return pushed->id;
  }
  std::string placeholders() { return worker.ask({"HGET", collapse_key("alice"), ""}).text; }
};

TEST_CASE_FIXTURE(Retracting, "a message that is retracted is neither delivered nor missed") {
  push_many(4);
  CHECK(retract(id(2)));
  const auto reading = read_after(0);
  CHECK(seqs(reading) == Seqs{1, 3, 4});
  CHECK(reading.cursor == id(4));
  CHECK(reading.missed == 0);
  CHECK(reading.collapsed == 1);
  CHECK(seqs(read({.client = "script"})) == Seqs{1, 3, 4});
  CHECK(worker.shown("alice", {.limit = 2}) == std::vector{id(1), id(3)});
}

TEST_CASE_FIXTURE(Retracting, "a message that was replaced is neither delivered nor missed") {
  push();
  read_after(1, "tab");
  for (int i = 0; i < 60; ++i) collapse("quota");
  push();
  const auto reading = read_after(1, "tab");
  CHECK(seqs(reading) == Seqs{61, 62});
  CHECK(reading.missed == 0);
  CHECK(reading.collapsed == 59);
  // Having been told of them, the client lets them go.
  CHECK(read_after(62, "tab").collapsed == 0);
  CHECK(kept().empty());
}

TEST_CASE_FIXTURE(Retracting, "what was retracted is not replaced, and the count stays right") {
  push();
  read_after(1, "tab");
  CHECK(retract(collapse("quota")));
  collapse("quota");
  CHECK(placeholders() == "1 1");
  collapse("quota");
  CHECK(placeholders() == "1 2");
  CHECK(seqs(read_after(1, "tab")) == Seqs{4});
}

TEST_CASE_FIXTURE(Retracting, "a placeholder is neither queued, nor unread, nor the oldest") {
  push_many(4);
  read_after(0, "tab");
  CHECK(retract(id(1)));
  CHECK(retract(id(3)));
  CHECK(view().queued == 2);
  CHECK(view().oldest == id(2));
  CHECK(view().newest == id(4));
  CHECK(worker.unread("alice", "tab").value() == 2);
}

TEST_CASE_FIXTURE(Retracting,
                  "placeholders don't use up the messages that are looked at for unread") {
  for (int i = 0; i < 39; ++i) CHECK(retract(push().id));
  push();
  CHECK(worker.unread("alice", "new").value() == 1);
}

TEST_CASE_FIXTURE(Retracting, "placeholders do not count for the limit of a read") {
  push();
  read_after(1, "tab");
  for (int i = 0; i < 20; ++i) CHECK(retract(push().id));
  push_many(2);
  const auto reading = read({.client = "tab", .after = id(1), .limit = 1});
  CHECK(seqs(reading) == Seqs{22});
  CHECK(reading.collapsed == 20);
}

TEST_CASE_FIXTURE(Retracting, "a client that comes back before it has acknowledged is told again") {
  push_many(3);
  CHECK(retract(id(1)));
  CHECK(read_after(0, "tab").collapsed == 1);
  push();
  CHECK(read_after(0, "tab").collapsed == 1);
  CHECK(read_after(0, "tab").missed == 0);
}

TEST_CASE_FIXTURE(Retracting, "a poll that finds only placeholders is noted as parked") {
  push();
  CHECK(retract(id(1)));
  const auto reading =
      read({.client = "tab", .after = id(0), .watch_until = in(31'000), .park_until = in(25'000)});
  CHECK(reading.count == 0);
  CHECK(reading.cursor == id(1));
  CHECK(view().clients.front().parked);
}

TEST_CASE_FIXTURE(Retracting, "a client without a cursor moves on behind placeholders") {
  push_many(2);
  CHECK(seqs(consume("script")) == Seqs{1, 2});
  CHECK(retract(push().id));
  const auto reading = consume("script");
  CHECK(reading.count == 0);
  CHECK(reading.collapsed == 1);
  CHECK(reading.missed == 0);
  push();
  const auto next = consume("script");
  CHECK(seqs(next) == Seqs{4});
  CHECK(next.collapsed == 0);
}

TEST_CASE_FIXTURE(Retracting, "placeholders in front stay until their client has been told") {
  push();
  read_after(1, "tab");
  for (int i = 0; i < 5; ++i) CHECK(retract(push().id));
  push_many(3);
  const auto reading = read_after(1, "tab");
  CHECK(seqs(reading) == Seqs{7, 8, 9});
  CHECK(reading.missed == 0);
  CHECK(reading.collapsed == 5);
}

TEST_CASE_FIXTURE(Retracting,
                  "whatever is replaced, retracted and acknowledged, a client's numbers add up") {
  std::mt19937 random(3);
  struct Reader {
    std::string name;
    uint64_t at = 0;
  };
  std::vector<Reader> readers{{"tab"}, {"phone"}};
  std::set<uint64_t> withdrawn;
  std::map<uint64_t, uint64_t> under;  // the newest message of each key
  push();
  uint64_t newest = 1;
  for (const auto& reader : readers) read_after(0, reader.name);
  for (int i = 0; i < 2'000; ++i) {
    Reader& reader = readers[random() % readers.size()];
    const auto what = random() % 10;
    const bool full = newest > 30 + std::min(readers[0].at, readers[1].at);
    if (what < 2 && !full) {
      newest = push().id.seq;
    } else if (what < 4 && !full) {
      const uint64_t key = random() % 3;
      withdrawn.insert(under[key]);
      newest = under[key] = collapse("k" + std::to_string(key)).seq;
    } else if (what < 6) {
      const uint64_t seq = newest - random() % std::min<uint64_t>(newest, 8);
      if (retract(id(seq))) withdrawn.insert(seq);
    } else {
      const auto reading =
          read({.client = reader.name, .after = id(reader.at), .limit = 1 + random() % 5});
      CAPTURE(i);
      CHECK(reading.missed == 0);
      CHECK(reading.cursor.seq - reader.at == reading.count + reading.collapsed);
      const auto got = seqs(reading);
      for (uint64_t seq = reader.at + 1; seq <= reading.cursor.seq; ++seq) {
        const bool here = std::find(got.begin(), got.end(), seq) != got.end();
        CHECK(here != withdrawn.contains(seq));
      }
      // Sometimes the answer is lost, and the reader asks with its old cursor again.
      if (random() % 4 > 0) reader.at = reading.cursor.seq;
    }
  }
  CHECK(newest > 400);
  CHECK(withdrawn.size() > 100);
}

TEST_CASE_FIXTURE(Retracting, "what is not there, or everybody has, can't be retracted") {
  push();
  push("1", in(1'000));
  push_many(3);
  SUBCASE("another mailbox's") { CHECK_FALSE(retract({epoch - 1, 4})); }
  SUBCASE("not yet pushed") { CHECK_FALSE(retract(id(6))); }
  SUBCASE("none") { CHECK_FALSE(retract(id(0))); }
  SUBCASE("expired") {
    clock.pass(1'000);
    CHECK_FALSE(retract(id(2)));
  }
  SUBCASE("acknowledged by the only client") {
    read_after(4, "tab");
    CHECK_FALSE(retract(id(4)));
    CHECK(retract(id(5)));
  }
  SUBCASE("acknowledged, and still in the list") {
    read_after(0, "tab");
    worker.ask({"HSET", keys.clients, "tab",
                std::to_string(epoch) + " 4 " + std::to_string(clock.wall_ms()) + " 0"});
    CHECK_FALSE(retract(id(4)));
    CHECK(retract(id(5)));
  }
  SUBCASE("retracted before") {
    CHECK(retract(id(4)));
    CHECK_FALSE(retract(id(4)));
  }
  SUBCASE("a mailbox that was never there") {
    CHECK_FALSE(worker.retract("nobody", id(1)).value());
    CHECK(worker.ask({"EXISTS", MailboxKeys("nobody").base, collapse_key("nobody")}).integer == 0);
  }
  SUBCASE("a mailbox that was deleted") {
    REQUIRE(worker.remove("alice"));
    CHECK_FALSE(retract(id(4)));
  }
}

TEST_CASE_FIXTURE(Retracting, "a message that one of two clients has is retracted for the other") {
  push_many(3);
  read_after(1, "slow");
  read_after(3, "quick");
  CHECK(retract(id(3)));
  CHECK(seqs(read_after(1, "slow")) == Seqs{2});
  CHECK(read_after(3, "quick").collapsed == 0);
}

TEST_CASE_FIXTURE(Retracting,
                  "the ring that hangs for a message becomes a bell, and no other does") {
  push();
  REQUIRE(list().size() == 1);
  SUBCASE("its own") {
    CHECK(retract(id(1)));
    REQUIRE(list().size() == 1);
    CHECK(parse_ring(list()[0]).kind == Ring::Kind::bell);
  }
  SUBCASE("in front of an element that was pushed by hand") {
    worker.ask({"RPUSH", keys.mailbox, "by hand"});
    CHECK(retract(id(1)));
    REQUIRE(list().size() == 2);
    CHECK(parse_ring(list()[0]).kind == Ring::Kind::bell);
    CHECK(list()[1] == "by hand");
  }
  SUBCASE("of another message") {
    worker.ask({"LSET", keys.mailbox, "0",
                "\x01" + id(11).text() + " " + make_element("mail", "1", 5, 0)});
    CHECK(retract(id(1)));
    CHECK(parse_ring(list()[0]).id == id(11));
  }
}

TEST_CASE_FIXTURE(Retracting, "the bytes of a retracted message are counted no longer") {
  MailboxLimits limits = small_limits();
  limits.bytes_kept = 5'000;
  RedisWorker narrow(server.login(), clock, limits);
  REQUIRE(narrow.comes_up());
  const std::string long_one(2'000, '1');
  REQUIRE(narrow.push("alice", long_one));
  REQUIRE(narrow.push("alice", long_one));
  const auto life = worker.ask({"PTTL", keys.base}).integer;
  CHECK(retract(id(1)));
  size_t bytes = 0;
  for (const auto& element : kept()) bytes += element.size();
  CHECK(base().find("+" + std::to_string(bytes)) != std::string::npos);
  CHECK(worker.ask({"PTTL", keys.base}).integer > life - 60'000);
  // So there is room for another one.
  REQUIRE(narrow.push("alice", long_one));
  CHECK(view().oldest == id(2));
}

TEST_CASE_FIXTURE(Retracting, "a message is retracted by the id that it had before a failover") {
  push_many(3);
  clock.pass(1000);
  worker.ask({"SET", shared_keys(0).reign, std::to_string(clock.wall_ms())});
  // (The fourth message of the old epoch was lost with the old master.)
  CHECK_FALSE(retract(id(4)));
  CHECK(retract(id(2)));
  clock.pass(500);
  const Cursor fourth = push().id;
  CHECK(fourth.epoch != epoch);
  CHECK_FALSE(retract(id(4)));
  CHECK_FALSE(retract({fourth.epoch, 1}));
  CHECK(retract(id(1)));
  const auto reading = read_after(0);
  CHECK(seqs(reading) == Seqs{3, 4});
  CHECK(reading.collapsed == 2);
  CHECK(reading.missed == 0);
  CHECK(retract(fourth));
  CHECK(read_after(3).collapsed == 1);
}

TEST_CASE_FIXTURE(Retracting, "a cursor from before a failover is told what was retracted since") {
  push_many(3);
  read_after(1, "tab");
  clock.pass(1000);
  worker.ask({"SET", shared_keys(0).reign, std::to_string(clock.wall_ms())});
  clock.pass(500);
  push();
  CHECK(retract(id(2)));
  const auto reading = read_after(1, "tab");
  CHECK(seqs(reading) == Seqs{3, 4});
  CHECK(reading.collapsed == 1);
  CHECK(reading.missed == 0);
  CHECK_FALSE(reading.reset);
}

TEST_CASE_FIXTURE(Retracting, "nothing of what was replaced or retracted outlives its mailbox") {
  push();
  collapse("quota");
  CHECK(retract(id(1)));
  CHECK(worker.remove("alice").value());
  CHECK(worker.ask({"EXISTS", collapse_key("alice")}).integer == 0);
}

TEST_CASE_FIXTURE(Retracting, "the count of placeholders lives as long as its mailbox") {
  push_many(2);
  CHECK(retract(id(1)));
  CHECK(placeholders() == "0 1");
  worker.ask({"PEXPIRE", collapse_key("alice"), "1000"});
  clock.pass(20'000);  // expiries are due
  read_after(0, "tab");
  CHECK(worker.ask({"PTTL", collapse_key("alice")}).integer > 1'000'000);
}

TEST_CASE_FIXTURE(Retracting,
                  "while a key is of a wrong type nothing is retracted, and it is named") {
  push_many(2);
  std::string key = collapse_key("alice");
  SUBCASE("collapse") { worker.ask({"SET", key, "x"}); }
  SUBCASE("mailbox") { worker.ask({"SET", key = keys.mailbox, "x"}); }
  SUBCASE("clients") { worker.ask({"SET", key = keys.clients, "x"}); }
  SUBCASE("base") { worker.ask({"SET", key = keys.base, "no record"}); }
  const auto before = kept();
  const auto retracted = worker.retract("alice", id(1));
  REQUIRE_FALSE(retracted);
  CHECK(retracted.error().code == Code::broken_data);
  CHECK(retracted.error().message.find(key) != std::string::npos);
  CHECK(kept() == before);
  // Removing the mailbox cures it.
  CHECK(worker.remove("alice").value());
  CHECK_FALSE(worker.remove("alice").value());
  const auto pushed = push();
  CHECK(retract(pushed.id));
}

}  // namespace
}  // namespace letterbox::test
