// SPDX-License-Identifier: MIT
//
// Looking at mailboxes, and removing them.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

struct Administered : Mailboxes {
  MailboxView::Client client(const std::string& name) {
    const auto clients = view().clients;
    const auto found = std::find_if(clients.begin(), clients.end(),
                                    [&](const auto& one) { return one.name == name; });
    REQUIRE(found != clients.end());
    return *found;
  }
  std::vector<std::string> everything() {
    std::vector<std::string> all;
    for (const auto key : keys.views()) all.push_back(worker.ask({"DUMP", key}).text);
    return all;
  }
};

// --- looking -----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Administered, "an unknown mailbox is empty") {
  const auto found = view();
  CHECK(found.queued == 0);
  CHECK(found.oldest == Cursor{});
  CHECK(found.newest == Cursor{});
  CHECK(found.clients.empty());
}

TEST_CASE_FIXTURE(Administered, "a look tells which messages are kept, and changes nothing") {
  push_many(5);
  read_after(2);
  const auto before = everything();
  const auto found = view();
  CHECK(found.queued == 3);
  CHECK(found.oldest == id(3));
  CHECK(found.newest == id(5));
  CHECK(everything() == before);
}

TEST_CASE_FIXTURE(Administered,
                  "if all messages were acknowledged there is a newest one, and no oldest") {
  push_many(5);
  read_after(5);
  CHECK(view().queued == 0);
  CHECK(view().oldest == Cursor{});
  CHECK(view().newest == id(5));
}

TEST_CASE_FIXTURE(Administered, "an expired message is not counted, and is not the oldest") {
  push("1", in(1'000));
  push("2");
  push("3", in(1'000));
  push("4");
  clock.pass(1'000);
  CHECK(view().queued == 2);
  CHECK(view().oldest == id(2));
  CHECK(view().newest == id(4));
}

TEST_CASE_FIXTURE(Administered,
                  "each client is shown with its cursor, when it was seen and whether it waits") {
  push_many(3);
  read({.client = ""});
  read({.client = "tab", .after = id(3), .watch_until = in(31'000), .park_until = in(25'000)});
  const uint64_t then = clock.wall_ms();
  push();
  clock.pass(500);
  read({.client = ""});
  CHECK(view().clients.size() == 2);
  CHECK(client("tab").cursor == id(3));
  CHECK(client("tab").seen_ms == then);
  CHECK(client("tab").parked);
  CHECK(client("tab").live);
  CHECK(client("").cursor == id(4));
  CHECK(client("").seen_ms == then + 500);
  CHECK_FALSE(client("").parked);
  CHECK(client("").live);
}

TEST_CASE_FIXTURE(Administered, "a poll that found a message does not wait") {
  push();
  read({.client = "tab", .after = id(0), .watch_until = in(31'000), .park_until = in(25'000)});
  CHECK_FALSE(client("tab").parked);
}

TEST_CASE_FIXTURE(Administered, "a client waits until its time is up, and is live for its life") {
  push();
  read({.client = "tab", .after = id(1), .park_until = in(25'000)});
  clock.pass(24'999);
  CHECK(client("tab").parked);
  clock.pass(1);
  CHECK_FALSE(client("tab").parked);
  clock.pass(100'000 - 25'000 - 1);
  CHECK(client("tab").live);
  clock.pass(1);
  CHECK_FALSE(client("tab").live);
}

TEST_CASE_FIXTURE(Administered, "a client that waits before the first push is shown") {
  read({.client = "tab", .after = Cursor{}, .watch_until = in(31'000), .park_until = in(25'000)});
  CHECK(client("tab").parked);
  CHECK(client("tab").cursor == Cursor{});
  CHECK(view().newest == Cursor{});
}

TEST_CASE_FIXTURE(Administered,
                  "a look at a full mailbox costs Redis a few commands, not one a message") {
  for (int i = 0; i < 40; ++i) push("1", i % 2 == 0 ? 0 : in(1'000));
  clock.pass(1'000);
  worker.ask({"CONFIG", "RESETSTAT"});
  CHECK(view().queued == 20);
  CHECK(worker.unread("alice", "new").value() == 24);  // the last eight are unknown
  const std::string stats = worker.ask({"INFO", "commandstats"}).text;
  CHECK(stats.find("cmdstat_lindex") == std::string::npos);
  const size_t at = stats.find("cmdstat_lrange:calls=");
  REQUIRE(at != std::string::npos);
  CHECK(std::stoi(stats.substr(at + 21)) < 20);
}

// --- the messages of a look ----------------------------------------------------------------------

TEST_CASE_FIXTURE(Administered, "a look has the oldest messages first, and page after page") {
  push_many(5);
  read_after(2);
  CHECK(worker.shown("alice", {}).empty());
  CHECK(worker.shown("alice", {.limit = 2}) == std::vector{id(3), id(4)});
  CHECK(worker.shown("alice", {.after = id(4), .limit = 2}) == std::vector{id(5)});
  CHECK(worker.shown("alice", {.after = id(5), .limit = 2}).empty());
  CHECK(worker.shown("alice", {.after = id(99), .limit = 2}).empty());
  // Acknowledged long ago, or of another mailbox: from the oldest.
  CHECK(worker.shown("alice", {.after = id(1), .limit = 2}) == std::vector{id(3), id(4)});
  CHECK(worker.shown("alice", {.after = {epoch - 1, 4}, .limit = 1}) == std::vector{id(3)});
  CHECK(worker.shown("nobody", {.limit = 2}).empty());
}

TEST_CASE_FIXTURE(Administered, "a look at messages changes nothing, and moves no client") {
  push_many(5);
  read_after(2, "tab");
  consume("script");
  push();
  const auto before = everything();
  CHECK(worker.shown("alice", {.limit = 100}).size() == 4);
  CHECK(worker.shown("alice", {.after = id(6), .limit = 100}).empty());
  CHECK(everything() == before);
  CHECK(client("tab").cursor == id(2));
  CHECK(seqs(consume("script")) == Seqs{6});
}

TEST_CASE_FIXTURE(Administered, "what has expired is not among the messages, and fills no page") {
  for (int i = 0; i < 10; ++i) push("1", in(1'000));
  push();
  push();
  clock.pass(1'000);
  CHECK(worker.shown("alice", {.limit = 1}) == std::vector{id(11)});
  CHECK(worker.shown("alice", {.after = id(11), .limit = 1}) == std::vector{id(12)});
}

TEST_CASE_FIXTURE(Administered, "a look stops after as many bytes as an answer to a poll") {
  for (int i = 0; i < 6; ++i) push(std::string(1'500, '1'));
  CHECK(worker.shown("alice", {.limit = 100}) == std::vector{id(1), id(2), id(3)});
  CHECK(worker.shown("alice", {.after = id(3), .limit = 100}) == std::vector{id(4), id(5), id(6)});
}

// --- unread ------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Administered, "the messages after a client's acknowledgement are unread") {
  push_many(10);
  read_after(3, "slow");
  read_after(8, "tab");
  read_after(10, "");
  CHECK(worker.unread("alice", "slow").value() == 7);
  CHECK(worker.unread("alice", "tab").value() == 2);
  CHECK(worker.unread("alice", "").value() == 0);
}

TEST_CASE_FIXTURE(Administered, "all messages are unread for a client that is not known") {
  CHECK(worker.unread("alice", "new").value() == 0);
  push_many(10);
  CHECK(worker.unread("alice", "new").value() == 10);
  read_after(4, "slow");
  CHECK(worker.unread("alice", "new").value() == 6);
  worker.ask({"HSET", keys.clients, "other",
              std::to_string(epoch - 1) + " 9 " + std::to_string(epoch) + " 0"});
  CHECK(worker.unread("alice", "other").value() == 6);
}

TEST_CASE_FIXTURE(Administered, "expired messages are not unread, as far as they are the oldest") {
  push("1", in(1'000));
  push("2");
  push("3", in(1'000));
  read_after(0, "tab");
  clock.pass(1'000);
  CHECK(worker.unread("alice", "tab").value() == 1);
}

TEST_CASE_FIXTURE(Administered, "unread changes nothing") {
  push_many(5);
  read_after(2, "tab");
  const auto before = everything();
  CHECK(worker.unread("alice", "tab").value() == 3);
  CHECK(everything() == before);
}

// --- removing ----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Administered, "a mailbox that is removed holds nothing any more") {
  push_many(3);
  CHECK(worker.remove("alice").value());
  CHECK(view().queued == 0);
  CHECK(view().newest == Cursor{});
  CHECK(list().empty());
  CHECK_FALSE(worker.remove("alice").value());
}

TEST_CASE_FIXTURE(Administered, "there is nothing to remove before the first push") {
  CHECK_FALSE(worker.remove("alice").value());
  read({.client = "tab", .after = Cursor{}, .watch_until = in(31'000), .park_until = in(25'000)});
  CHECK_FALSE(worker.remove("alice").value());
  CHECK(client("tab").parked);
}

TEST_CASE_FIXTURE(Administered, "raw elements are removed too") {
  worker.ask({"RPUSH", keys.mailbox, "by hand"});
  CHECK(worker.remove("alice").value());
  CHECK(list().empty());
}

TEST_CASE_FIXTURE(
    Administered,
    "a removal drops the lines of clients that are away, and keeps those of clients that wait") {
  push_many(3);
  read_after(1, "away");
  read({.client = "tab", .after = id(3), .watch_until = in(31'000), .park_until = in(25'000)});
  worker.remove("alice").value();
  CHECK(view().clients.size() == 1);
  CHECK(client("tab").parked);
  CHECK(client("tab").cursor == Cursor{});
  const auto pushed = push();
  CHECK(pushed.waiting);
  CHECK(pushed.id.epoch > epoch);
  CHECK(pushed.id.seq == 1);
}

TEST_CASE_FIXTURE(Administered, "other mailboxes are left alone by a removal") {
  push();
  REQUIRE(worker.push("bob"));
  worker.remove("alice").value();
  CHECK(worker.view("bob").value().queued == 1);
}

// --- Redis is away -----------------------------------------------------------------------------

TEST_CASE(
    "while Redis is away everything is answered by store_unavailable, and a time to come back") {
  RedisServer server;
  FakeClock clock;
  RedisWorker worker(server.login(), clock);
  REQUIRE(worker.comes_up());
  server.stop();
  REQUIRE(eventually([&] { return worker.downs == 1; }));
  const auto check = [](const Error& error) {
    CHECK(error.code == Code::store_unavailable);
    CHECK(error.retry_after_ms >= 1'000);
    CHECK(error.retry_after_ms < 2'000);
  };
  check(worker.push("alice").error());
  check(worker.read({}).error());
  check(worker.read({.after = Cursor{1, 1}, .limit = 0}).error());
  check(worker.view("alice").error());
  check(worker.unread("alice", "").error());
  check(worker.remove("alice").error());
  check(worker.adopt("alice", "x").error());
  check(worker.adopt_all("alice").error());
}

}  // namespace
}  // namespace letterbox::test
