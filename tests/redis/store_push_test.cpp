// SPDX-License-Identifier: MIT
//
// What happens to messages: their ids, how many are kept, and for how long.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

TEST_CASE_FIXTURE(Mailboxes,
                  "an id is the time at which the mailbox was made, and a count without gaps") {
  for (uint64_t seq = 1; seq <= 5; ++seq) {
    const auto pushed = push();
    CHECK(pushed.id == id(seq));
    CHECK(pushed.queued == seq);
    CHECK_FALSE(pushed.waiting);
    clock.pass(10);
  }
}

TEST_CASE_FIXTURE(Mailboxes, "each mailbox counts for itself") {
  push_many(3);
  clock.pass(1);
  const auto other = worker.push("bob");
  REQUIRE(other);
  CHECK(other->id == Cursor{epoch + 1, 1});
  CHECK(other->queued == 1);
  CHECK(read_after(0).count == 3);
}

TEST_CASE_FIXTURE(Mailboxes, "the count goes on after everything was acknowledged") {
  push_many(3);
  CHECK(read_after(3).count == 0);
  CHECK(view().queued == 0);
  const auto pushed = push();
  CHECK(pushed.id == id(4));
  CHECK(pushed.queued == 1);
  CHECK(seqs(read_after(3)) == Seqs{4});
}

TEST_CASE_FIXTURE(Mailboxes, "a message is read as it was pushed") {
  const std::string data = R"({"text":"caf\u00e9 ünï 😀 \u0000 \" \\","n":12345678901234567890.10})";
  push(data);
  CHECK(read_after(0).messages == R"({"id":")" + id(1).text() + R"(","type":"mail","data":)" +
                                      data + ",\"time\":" + std::to_string(epoch) + "}");
  const std::string large = '"' + std::string(300'000, 'x') + '"';
  push(large);
  CHECK((read_after(1).messages.find(large) != std::string::npos));
}

TEST_CASE_FIXTURE(Mailboxes,
                  "pushes that too few replicas have wait together, and are unavailable") {
  static constexpr size_t kPushes = 30;
  const auto begin = std::chrono::steady_clock::now();
  const auto unavailable = worker.await<size_t>([&](const auto& then) {
    worker.store.replicas().confirm_by(1, 200);
    const std::string element = make_element("mail", "1", clock.wall_ms(), 0);
    const auto answers = std::make_shared<std::vector<bool>>();
    for (size_t i = 0; i < kPushes; ++i) {
      worker.store.push("alice", element, [answers, then](const Or<Pushed>& pushed) {
        answers->push_back(!pushed && pushed.error().code == Code::store_unavailable);
        if (answers->size() == kPushes) {
          then(static_cast<size_t>(std::count(answers->begin(), answers->end(), true)));
        }
      });
    }
  });
  CHECK(unavailable == kPushes);
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took >= std::chrono::milliseconds(200));
  CHECK(took < std::chrono::milliseconds(200 * kPushes / 2));
  CHECK(read_after(0).count == kPushes);  // they can't be undone
}

TEST_CASE_FIXTURE(
    Mailboxes, "a mailbox over its cap drops its oldest, and tells exactly how many were missed") {
  push_many(100);
  CHECK(view().queued == 40);
  CHECK(view().oldest == id(61));
  const auto reading = read_after(5);
  CHECK(reading.missed == 60 - 5);
  CHECK(reading.count == 40);
  CHECK(reading.cursor == id(100));
  CHECK(seqs(reading).front() == 61);
  CHECK(reading.cursor.seq - 5 == reading.count + reading.missed);
}

TEST_CASE_FIXTURE(Mailboxes, "queued counts the messages that are kept, including the one pushed") {
  push_many(40);
  CHECK(push().queued == 40);
}

TEST_CASE_FIXTURE(Mailboxes, "a message is not delivered once its time is over") {
  push("1", in(1'000));
  clock.pass(999);
  CHECK(seqs(read_after(0)) == Seqs{1});
  clock.pass(1);
  const auto reading = read_after(0);
  CHECK(reading.count == 0);
  CHECK(reading.missed == 1);
  CHECK(reading.cursor == id(1));
}

TEST_CASE_FIXTURE(Mailboxes,
                  "messages that expired between others are missed, the others keep their ids") {
  push();
  push("2", in(1'000));
  push("3", in(1'000));
  push();
  clock.pass(1'000);
  const auto reading = read_after(0);
  CHECK(seqs(reading) == Seqs{1, 4});
  CHECK(reading.missed == 2);
  CHECK(reading.cursor == id(4));
}

TEST_CASE_FIXTURE(Mailboxes, "messages that expired at the front go with the next push") {
  push("1", in(1'000));
  push("2", in(1'000));
  push();
  push("4", in(1'000));
  clock.pass(1'000);
  CHECK(push().queued == 3);  // 3, 4 between others, and 5
  CHECK(view().oldest == id(3));
  CHECK(worker.ask({"LLEN", keys.unacked}).integer == 3);
  const auto reading = read_after(1);
  CHECK(seqs(reading) == Seqs{3, 5});
  CHECK(reading.missed == 2);
}

TEST_CASE_FIXTURE(Mailboxes,
                  "at most 32 expired messages go with a push, the others with later ones") {
  std::string data = "1";
  SUBCASE("short ones") {}
  SUBCASE("long ones, whose bytes are counted") { data = '"' + std::string(500'000, 'x') + '"'; }
  for (int i = 0; i < 36; ++i) push(i == 0 ? data : "1", in(1'000));
  clock.pass(1'000);
  const auto stored = [&] { return worker.ask({"LLEN", keys.unacked}).integer; };
  CHECK(push().queued == 5);
  CHECK(stored() == 5);
  CHECK(view().queued == 1);
  const auto reading = read_after(0);
  CHECK(seqs(reading) == Seqs{37});
  CHECK(reading.missed == 36);
  CHECK(push().queued == 2);
  CHECK(stored() == 2);
  CHECK(view().oldest == id(37));
}

TEST_CASE_FIXTURE(Mailboxes, "a mailbox whose messages have all expired goes on counting") {
  push("1", in(1'000));
  clock.pass(1'000);
  CHECK(push("2", in(1'000)).id == id(2));
  clock.pass(1'000);
  CHECK(push().id == id(3));
  CHECK(seqs(read_after(0)) == Seqs{3});
}

// --- acknowledging -----------------------------------------------------------------------------

TEST_CASE_FIXTURE(Mailboxes, "a message is kept until its client has acknowledged it") {
  push_many(5);
  read_after(0);
  CHECK(view().queued == 5);
  read_after(3);
  CHECK(view().queued == 2);
  CHECK(view().oldest == id(4));
  // The client asks for it again: that answer was lost.
  CHECK(seqs(read_after(3)) == Seqs{4, 5});
}

TEST_CASE_FIXTURE(Mailboxes, "messages are kept for the slowest live client") {
  push_many(6);
  read_after(2, "slow");
  read_after(5, "quick");
  read_after(6, "quickest");
  CHECK(view().oldest == id(3));
  read_after(4, "slow");
  CHECK(view().oldest == id(5));
  CHECK(seqs(read_after(4, "slow")) == Seqs{5, 6});
}

TEST_CASE_FIXTURE(Mailboxes, "a client's messages are kept for its life after it was last seen") {
  push_many(4);
  read_after(1, "away");
  clock.pass(99'999);
  read_after(4, "here");
  CHECK(view().queued == 3);
  clock.pass(1);
  read_after(4, "here");
  CHECK(view().queued == 0);
  const auto reading = read_after(1, "away");
  CHECK(reading.missed == 3);
  CHECK(reading.count == 0);
  CHECK(reading.cursor == id(4));
}

TEST_CASE_FIXTURE(Mailboxes, "a client is live for as long as it is parked") {
  push_many(4);
  read({.client = "parked", .after = id(4), .park_until = in(150'000)});
  push();
  clock.pass(149'999);
  read_after(5, "here");
  CHECK(view().queued == 1);
  clock.pass(1);
  read_after(5, "here");
  CHECK(view().queued == 0);
}

TEST_CASE_FIXTURE(
    Mailboxes,
    "a client is live for as long as its stream, which stays parked when it finds messages") {
  push_many(4);
  const Ask stream{.client = "stream",
                   .after = id(2),
                   .acknowledged = id(2),
                   .stream = true,
                   .park_until = in(150'000)};
  CHECK(seqs(read(stream)) == Seqs{3, 4});
  CHECK(view().clients.at(0).parked);
  clock.pass(149'999);
  read_after(4, "here");
  CHECK(view().queued == 2);
  clock.pass(1);
  read_after(4, "here");
  CHECK(view().queued == 0);
}

TEST_CASE_FIXTURE(Mailboxes, "a client that waits before the first push holds up no trimming") {
  read({.client = "early", .after = Cursor{}, .park_until = in(25'000)});
  push_many(2);
  read_after(2, "other");
  CHECK(view().queued == 2);
  CHECK(seqs(read({.client = "early", .after = Cursor{}})) == Seqs{1, 2});
}

TEST_CASE_FIXTURE(
    Mailboxes, "an older acknowledgement that comes late restores nothing, and removes nothing") {
  push_many(5);
  read_after(4);
  CHECK(read_after(2).missed == 2);
  CHECK(view().oldest == id(5));
  CHECK(push().id == id(6));
}

// --- notes -------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(
    Mailboxes,
    "a note acknowledges, and says which client waits and which program watches, without a read") {
  push_many(4);
  read({.client = "tab", .after = id(1), .watch_until = in(30'000)});
  for (const char* client : {"tab", "new", "tab"}) {
    CAPTURE(client);
    const auto noted = read({.client = client,
                             .after = id(3),
                             .limit = 0,
                             .watch_until = in(30'000),
                             .park_until = in(25'000)});
    CHECK(noted.count == 0);
    CHECK(noted.messages.empty());
  }
  CHECK(view().oldest == id(4));
  REQUIRE(view().clients.size() == 2);
  for (const auto& client : view().clients) {
    CHECK(client.cursor == id(3));
    CHECK(client.seen_ms == clock.wall_ms());
    CHECK(client.parked);
  }
  CHECK(push().waiting);
  read({.client = "tab", .after = id(3), .limit = 0});
  read({.client = "new", .after = id(3), .limit = 0});
  CHECK_FALSE(view().clients[0].parked);
  CHECK_FALSE(push().waiting);
}

TEST_CASE_FIXTURE(Mailboxes,
                  "a note with a cursor from the future or of another epoch acknowledges nothing") {
  push_many(3);
  for (const Cursor& cursor : {id(4), id(999), Cursor{epoch - 1, 2}, Cursor{epoch + 1, 2}}) {
    CAPTURE(cursor.text());
    read({.after = id(1), .watch_until = in(30'000)});
    read({.after = cursor, .limit = 0, .watch_until = in(30'000)});
    CHECK(view().queued == 2);
    CHECK(view().oldest == id(2));
    CHECK(view().newest == id(3));
  }
  CHECK(push().id == id(4));
}

TEST_CASE_FIXTURE(Mailboxes,
                  "a note about a mailbox without unacknowledged messages leaves its count alone") {
  push_many(3);
  read({.after = id(3), .watch_until = in(30'000)});
  for (int i = 0; i < 3; ++i) {
    read({.after = id(3), .limit = 0, .watch_until = in(30'000), .park_until = in(25'000)});
  }
  CHECK(push().id == id(4));
  CHECK(seqs(read_after(3)) == Seqs{4});
}

}  // namespace
}  // namespace letterbox::test
