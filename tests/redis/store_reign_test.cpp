// SPDX-License-Identifier: MIT
//
// Another Redis has taken over, and lacks the last messages of its predecessor: ids go on in a new
// epoch, and the cursors that clients have of the old one still count.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mailbox/keys.h"
#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

struct Reigns : Mailboxes {
  // Some time later, as a login notes it.
  void begin_reign() {
    clock.pass(1000);
    worker.ask({"SET", shared_keys(0).reign, std::to_string(clock.wall_ms())});
    clock.pass(500);
  }
  // An id that the predecessor gave, which a client has and this Redis does not.
  Cursor lost(uint64_t seq) const { return id(seq); }

  // Three messages, and a fourth that was the first of a new reign.
  Cursor three_and_a_fork() {
    push_many(3);
    begin_reign();
    return push().id;
  }
  bool acknowledge(const Cursor& after, std::string_view client) {
    const auto known = worker.await<Or<bool>>([&](const auto& then) {
      worker.store.acknowledge("alice", client, after, in(25'000), then);
    });
    REQUIRE(known);
    return *known;
  }
  std::string base() { return worker.ask({"GET", keys.base}).text; }
  std::string line(std::string_view client) {
    return worker.ask({"HGET", keys.clients, client}).text;
  }
  int64_t stored() { return worker.ask({"LLEN", keys.unacked}).integer; }
};

// --- ids ---------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Reigns, "the first push of a new reign goes on in a new epoch, and counts on") {
  push_many(3);
  begin_reign();
  CHECK(push().id == Cursor{clock.wall_ms(), 4});
  const uint64_t forked = clock.wall_ms();
  clock.pass(1000);
  const auto second = push();
  CHECK(second.id == Cursor{forked, 5});
  CHECK(second.queued == 5);
  CHECK(view().newest == second.id);
  CHECK(view().oldest == id(1));
}

TEST_CASE_FIXTURE(Reigns,
                  "a new epoch is later than the reign and the old epoch, by any program's clock") {
  push_many(3);
  uint64_t begun = epoch + 1;
  SUBCASE("the reign began a moment after the epoch, by a clock that goes ahead") {}
  SUBCASE("the reign began long after, by a clock that goes ahead") { begun = epoch + 100'000; }
  worker.ask({"SET", shared_keys(0).reign, std::to_string(begun)});
  const auto pushed = push();
  CHECK(pushed.id == Cursor{begun, 4});
  CHECK(push().id == Cursor{begun, 5});
}

TEST_CASE_FIXTURE(Reigns, "a mailbox that was made in this reign stays as it is") {
  begin_reign();
  epoch = clock.wall_ms();
  CHECK(push().id == id(1));
  const std::string before = base();
  CHECK(push().id == id(2));
  CHECK(base() == before);
}

TEST_CASE_FIXTURE(Reigns, "a mailbox that is made by a clock that lags belongs to this reign") {
  worker.ask({"SET", shared_keys(0).reign, std::to_string(epoch + 5000)});
  CHECK(push().id == Cursor{epoch + 5000, 1});
  CHECK(push().id == Cursor{epoch + 5000, 2});
}

TEST_CASE_FIXTURE(Reigns, "rings carry the new ids") {
  push_many(1);
  SUBCASE("those in the list") {
    worker.ask({"DEL", keys.mailbox});
    begin_reign();
    const auto pushed = push();
    REQUIRE(list().size() == 1);
    CHECK(parse_ring(list()[0]).id == pushed.id);
  }
  SUBCASE("those at an address") {
    read({.client = "tab", .after = id(1), .watch_until = in(60'000), .park_until = in(25'000)});
    begin_reign();
    const auto pushed = push();
    const std::string told = worker.ask({"LPOP", address_key("program", 0)}).text;
    const auto rings = parse_addressed(told);
    REQUIRE(rings.size() == 1);
    CHECK(rings[0].second.id == pushed.id);
  }
}

TEST_CASE_FIXTURE(Reigns, "a raw element is adopted in the new epoch too") {
  push_many(3);
  begin_reign();
  CHECK(worker.adopt("alice", "by hand").value().id == Cursor{clock.wall_ms(), 4});
}

TEST_CASE_FIXTURE(Reigns, "a push that a full Redis refuses changes nothing") {
  push_many(3);
  read_after(1, "tab");
  begin_reign();
  const std::string before = base() + line("tab");
  worker.ask({"CONFIG", "SET", "maxmemory", "1"});
  CHECK_FALSE(worker.push("alice"));
  worker.ask({"CONFIG", "SET", "maxmemory", "0"});
  CHECK(base() + line("tab") == before);
  CHECK(stored() == 2);
}

// --- cursors -----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Reigns, "a cursor of the old epoch goes on without a reset, and misses nothing") {
  const Cursor fourth = three_and_a_fork();
  const auto reading = read_after(2, "tab");
  CHECK(seqs(reading) == Seqs{3, 4});
  CHECK(reading.cursor == fourth);
  CHECK(reading.missed == 0);
  CHECK_FALSE(reading.reset);
}

TEST_CASE_FIXTURE(Reigns,
                  "a cursor of a lost message gets every message that came after the loss") {
  three_and_a_fork();
  push();
  const auto reading = read({.client = "tab", .after = lost(5)});
  CHECK(seqs(reading) == Seqs{4, 5});
  CHECK(reading.missed == 0);
  CHECK_FALSE(reading.reset);
}

TEST_CASE_FIXTURE(Reigns, "a message of the old reign keeps its id") {
  push_many(3);
  const std::string before = read_after(0).messages;
  begin_reign();
  const Cursor fourth = push().id;
  const auto whole = read_after(0);
  CHECK(whole.messages.starts_with(before + R"(,{"id":")" + fourth.text()));
  const auto part = read({.after = Cursor{}, .limit = 2});
  CHECK(part.cursor == id(2));
  CHECK(seqs(read({.after = part.cursor})) == Seqs{3, 4});
  read_after(3);
  CHECK(view().oldest == fourth);
  CHECK(view().clients.at(0).cursor == id(3));
}

TEST_CASE_FIXTURE(Reigns, "until the next push a cursor of a lost message counts as the newest") {
  push_many(3);
  begin_reign();
  const auto reading = read({.client = "tab", .after = lost(5)});
  CHECK(reading.count == 0);
  CHECK(reading.cursor == id(3));
  CHECK(reading.missed == 0);
  CHECK_FALSE(reading.reset);
  const auto pushed = push();
  CHECK(read({.client = "tab", .after = id(3)}).cursor == pushed.id);
}

TEST_CASE_FIXTURE(Reigns, "in the reign of its mailbox a cursor from the future is a reset") {
  begin_reign();
  epoch = clock.wall_ms();
  push_many(3);
  CHECK(read({.client = "tab", .after = lost(5)}).reset);
}

TEST_CASE_FIXTURE(Reigns, "a client whose cursor the store keeps goes on from it") {
  push_many(2);
  CHECK(seqs(consume("script")) == Seqs{1, 2});
  push();
  begin_reign();
  SUBCASE("after a push") { push(); }
  SUBCASE("and a note meanwhile") {
    push();
    read({.client = "script", .limit = 0, .park_until = in(25'000)});
  }
  SUBCASE("before a push") {
    CHECK(seqs(consume("script")) == Seqs{3});
    push();
    CHECK(seqs(consume("script")) == Seqs{4});
    return;
  }
  const auto reading = consume("script");
  CHECK(seqs(reading) == Seqs{3, 4});
  CHECK(reading.missed == 0);
  CHECK_FALSE(reading.reset);
}

TEST_CASE_FIXTURE(Reigns, "a cursor stays good for eight reigns, and is then a reset") {
  push_many(3);
  read_after(1, "phone");
  CHECK(seqs(consume("script")) == Seqs{2, 3});
  std::vector<Cursor> ids;
  for (int reign = 1; reign <= 8; ++reign) {
    begin_reign();
    ids.push_back(push().id);
    const auto reading = read({.client = "tab", .after = lost(7)});
    CHECK(reading.count == ids.size());
    CHECK(reading.cursor == ids.back());
    CHECK(reading.missed == 0);
    CHECK_FALSE(reading.reset);
  }
  for (const auto& given : ids) {
    CHECK(read({.client = "tab", .after = given}).count == 11 - given.seq);
    CHECK(read_after(1).messages.find('"' + given.text() + '"') != std::string::npos);
  }

  begin_reign();
  const Cursor newest = push().id;
  CHECK(read_after(2, "tab").reset);
  CHECK_FALSE(read({.client = "tab", .after = ids.front()}).reset);
  // The clients' lines move along each time.
  CHECK(line("phone").starts_with(std::to_string(newest.epoch) + " 1 "));
  const auto reading = consume("script");
  CHECK(reading.count == 9);
  CHECK_FALSE(reading.reset);
}

TEST_CASE_FIXTURE(Reigns, "a cursor of an epoch that was never here is a reset, forked or not") {
  const Cursor fourth = three_and_a_fork();
  CHECK(read({.client = "tab", .after = Cursor{}, .foreign = true}).reset);
  CHECK(read({.client = "tab", .after = Cursor{epoch - 1, 2}}).reset);
  CHECK(read({.client = "tab", .after = Cursor{fourth.epoch + 1, 2}}).reset);
  CHECK(read({.client = "tab", .after = Cursor{fourth.epoch, 5}}).reset);
}

TEST_CASE_FIXTURE(Reigns, "after a removal all cursors are foreign") {
  const Cursor fourth = three_and_a_fork();
  CHECK(worker.remove("alice").value());
  CHECK(base() == "0 0 " + std::to_string(fourth.epoch));
  clock.pass(1);
  push_many(5);
  CHECK(read_after(2, "tab").reset);
  CHECK(read({.client = "phone", .after = fourth}).reset);
}

// --- clients' lines ----------------------------------------------------------------------------

TEST_CASE_FIXTURE(Reigns, "messages that a slower client needs are kept over a fork") {
  push_many(12);
  read_after(2, "phone");
  read_after(12, "tab");
  begin_reign();
  const Cursor forked = push().id;
  CHECK(stored() == 11);
  for (uint64_t seq = 13; seq <= 20; ++seq) {
    acknowledge({forked.epoch, seq}, "tab");
    push();
  }
  CHECK(read_after(2, "phone").count == 19);
}

TEST_CASE_FIXTURE(Reigns, "an acknowledgement of the old epoch counts after the fork as before") {
  push_many(20);
  read_after(0, "tab");
  begin_reign();
  push();
  acknowledge(id(10), "tab");
  CHECK(view().queued == 11);
  CHECK(push().queued == 12);
  CHECK(stored() == 12);
  CHECK(seqs(read_after(0, "new")) == Seqs{11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22});
}

TEST_CASE_FIXTURE(Reigns,
                  "an acknowledgement of lost messages acknowledges nothing of the new epoch") {
  push_many(10);
  read_after(0, "tab");
  begin_reign();
  SUBCASE("before the fork") {
    acknowledge(lost(15), "tab");
    push_many(10);
  }
  SUBCASE("after the fork") {
    push_many(5);
    acknowledge(lost(15), "tab");
    push_many(5);
  }
  CHECK(view().queued == 10);
  CHECK(stored() == 10);
  CHECK(seqs(read({.client = "tab", .after = lost(15)})) ==
        Seqs{11, 12, 13, 14, 15, 16, 17, 18, 19, 20});
}

TEST_CASE_FIXTURE(Reigns, "a note of the old epoch counts in the new one") {
  three_and_a_fork();
  read_after(0, "tab");
  read({.client = "tab", .after = id(2), .limit = 0, .park_until = in(25'000)});
  CHECK(line("tab").starts_with(std::to_string(view().newest.epoch) + " 2 "));
  CHECK(view().queued == 2);
}

TEST_CASE_FIXTURE(Reigns, "notes and reads keep the record of the epoch's predecessor") {
  const Cursor fourth = three_and_a_fork();
  const std::string mark = "<" + std::to_string(epoch) + ":3";
  CHECK(base().find(mark) != std::string::npos);
  read({.client = "tab", .after = fourth, .watch_until = in(60'000), .park_until = in(25'000)});
  CHECK(base().find(mark) != std::string::npos);
  read({.client = "tab", .after = fourth, .limit = 0, .watch_until = in(70'000)});
  CHECK(base().find(mark) != std::string::npos);
  CHECK(base().ends_with(std::to_string(in(70'000))));
  CHECK(push().waiting);
  read({.client = "phone", .after = id(2)});
  push();
  CHECK(base().find(mark) != std::string::npos);
}

TEST_CASE_FIXTURE(Reigns, "the count of bytes goes on after a fork") {
  const std::string longer = '"' + std::string(500'000, 'x') + '"';
  push(longer);
  push(longer);
  begin_reign();
  push();
  read_after(1, "tab");
  push();
  const size_t element = make_element("mail", "1", clock.wall_ms(), 0).size();
  const size_t bytes = make_element("mail", longer, clock.wall_ms(), 0).size() + 2 * element;
  CHECK(base().find("+" + std::to_string(bytes) + "<") != std::string::npos);
}

// --- unread ------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Reigns, "messages that a client had before the fork are not unread after it") {
  push_many(3);
  read_after(0, "new here");
  read_after(3, "tab");
  begin_reign();
  push();
  CHECK(worker.unread("alice", "tab").value() == 1);
  CHECK(worker.unread("alice", "new here").value() == 4);
  SUBCASE("its line is still of the old epoch") { CHECK(acknowledge(id(2), "tab")); }
  SUBCASE("it has more than this Redis knows") { CHECK(acknowledge(lost(9), "tab")); }
  const uint64_t behind = line("tab").find(" 2 ") != std::string::npos ? 2 : 1;
  CHECK(worker.unread("alice", "tab").value() == behind);
}

}  // namespace
}  // namespace letterbox::test
