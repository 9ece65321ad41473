// SPDX-License-Identifier: MIT
//
// What a poll is given: the messages after its cursor, or after the cursor that is kept for it.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

TEST_CASE_FIXTURE(Mailboxes, "what has expired does not count for the limit of a read") {
  for (int i = 0; i < 10; ++i) push("1", in(1'000));
  push();
  push();
  clock.pass(1'000);
  const auto first = read({.after = id(0), .limit = 1});
  CHECK(seqs(first) == Seqs{11});
  CHECK(first.missed == 10);
  CHECK(first.cursor == id(11));
}

TEST_CASE_FIXTURE(Mailboxes, "a poll that finds only what has expired is noted as parked") {
  push("1", in(1'000));
  clock.pass(1'000);
  read({.client = "tab", .after = id(0), .watch_until = in(31'000), .park_until = in(25'000)});
  CHECK(view().clients.front().parked);
}

TEST_CASE_FIXTURE(Mailboxes, "the messages after the cursor are read, oldest first") {
  push_many(35);
  CHECK(seqs(read_after(31)) == Seqs{32, 33, 34, 35});
}

TEST_CASE_FIXTURE(
    Mailboxes, "a read from the beginning starts at the oldest that is kept, and misses nothing") {
  push_many(50);
  const auto reading = read({.after = Cursor{}});
  CHECK(reading.missed == 0);
  CHECK_FALSE(reading.reset);
  CHECK(seqs(reading).front() == 11);
  CHECK(reading.count == 40);
  CHECK(reading.cursor == id(50));
  CHECK(reading.newest == id(50));
}

TEST_CASE_FIXTURE(Mailboxes, "an answer stops at its limit, and the next one continues there") {
  push_many(40);
  uint64_t at = 0;
  for (const size_t limit : {1, 2, 31, 32, 33}) {
    CAPTURE(limit);
    const auto reading = read({.after = id(at), .limit = limit});
    const size_t expected = std::min<size_t>(limit, 40 - at);
    CHECK(reading.count == expected);
    CHECK(reading.cursor == id(at + expected));
    CHECK(reading.newest == id(40));
    at = reading.cursor.seq;
  }
  CHECK(at == 40);
}

TEST_CASE_FIXTURE(Mailboxes,
                  "an answer stops at about its size in bytes, but has at least one message") {
  const std::string thousand = '"' + std::string(1'000, 'x') + '"';
  const std::string huge = '"' + std::string(100'000, 'x') + '"';
  for (int i = 0; i < 10; ++i) push(thousand);
  push(huge);
  push_many(2);
  CHECK(seqs(read_after(0)) == Seqs{1, 2, 3, 4});
  CHECK(seqs(read_after(9)) == Seqs{10, 11});
  CHECK(seqs(read_after(10)) == Seqs{11});
  CHECK(seqs(read_after(11)) == Seqs{12, 13});
}

TEST_CASE_FIXTURE(Mailboxes,
                  "a page of expired messages alone is empty, but tells that more follow") {
  const std::string long_one(2'500, '1');
  push(long_one, in(1'000));
  push(long_one, in(1'000));
  push();
  clock.pass(1'000);
  const auto reading = read({.after = id(0)});
  CHECK(reading.count == 0);
  CHECK(reading.missed == 2);
  CHECK(reading.cursor == id(2));
  CHECK(reading.newest == id(3));
}

// --- acknowledging apart from reading ----------------------------------------------------------

TEST_CASE_FIXTURE(
    Mailboxes, "a stream reads on from what it was given, and acknowledges what its client has") {
  push_many(6);
  const auto reading = read({.client = "tab",
                             .after = id(4),
                             .acknowledged = id(2),
                             .stream = true,
                             .park_until = in(9'000)});
  CHECK(seqs(reading) == Seqs{5, 6});
  const auto found = view();
  CHECK(found.queued == 4);
  CHECK(found.oldest == id(3));
  REQUIRE(found.clients.size() == 1);
  CHECK(found.clients.front().cursor == id(2));
  CHECK(found.clients.front().parked);
  // A message was lost on its way: the client comes back with its last one.
  CHECK(seqs(read_after(2, "tab")) == Seqs{3, 4, 5, 6});
}

TEST_CASE_FIXTURE(Mailboxes, "a stream of an unknown client acknowledges nothing") {
  push_many(3);
  const Ask stream{.client = "tab", .after = id(2), .acknowledged = Cursor{}, .stream = true};
  CHECK(seqs(read(stream)) == Seqs{3});
  CHECK(view().queued == 3);
  // ... nor does a stream that acknowledges a message of another mailbox.
  CHECK(
      seqs(read({.client = "tab", .after = id(2), .acknowledged = Cursor{5, 3}, .stream = true})) ==
      Seqs{3});
  CHECK(view().queued == 3);
}

TEST_CASE_FIXTURE(
    Mailboxes, "a poll that goes on behind what it passed over acknowledges what its client has") {
  push("1", in(1'000));
  push("1", in(1'000));
  push();
  clock.pass(1'000);
  const auto reading =
      read({.client = "tab", .after = id(2), .acknowledged = id(0), .park_until = in(9'000)});
  CHECK(seqs(reading) == Seqs{3});
  CHECK(view().clients.front().cursor == id(0));
  CHECK_FALSE(view().clients.front().parked);
  CHECK(read_after(0, "tab").missed == 2);
}

// --- resets ------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Mailboxes,
                  "an unknown cursor is answered by a reset, from the oldest message kept") {
  push_many(4);
  read_after(2);
  Ask ask;
  SUBCASE("it is foreign") {
    ask.after = Cursor{};
    ask.foreign = true;
  }
  SUBCASE("it is from the future") { ask.after = id(5); }
  SUBCASE("it is from far in the future") { ask.after = id(999'999'999'999'999); }
  SUBCASE("it is of an older mailbox") { ask.after = Cursor{epoch - 1, 3}; }
  SUBCASE("it is of a mailbox to come") { ask.after = Cursor{epoch + 1, 3}; }
  const auto reading = read(ask);
  CHECK(reading.reset);
  CHECK(reading.missed == 0);
  CHECK(seqs(reading) == Seqs{3, 4});
  CHECK(reading.cursor == id(4));
  // The cursor acknowledged nothing.
  CHECK(view().oldest == id(3));
}

TEST_CASE_FIXTURE(Mailboxes, "the newest cursor is not from the future") {
  push_many(4);
  const auto reading = read_after(4);
  CHECK_FALSE(reading.reset);
  CHECK(reading.count == 0);
  CHECK(reading.cursor == id(4));
}

TEST_CASE_FIXTURE(Mailboxes, "without a mailbox the cursor is 0, and any other one a reset") {
  const auto first = read({.after = Cursor{}});
  CHECK(first.cursor == Cursor{});
  CHECK(first.newest == Cursor{});
  CHECK_FALSE(first.reset);
  CHECK(read({.after = Cursor{epoch, 3}}).reset);
  CHECK(read({.after = Cursor{epoch, 3}}).cursor == Cursor{});
  CHECK(read({.after = Cursor{}, .foreign = true}).reset);
  CHECK_FALSE(consume().reset);
}

TEST_CASE_FIXTURE(Mailboxes,
                  "a mailbox that is removed and made again within a millisecond is another one") {
  std::set<uint64_t> epochs;
  for (size_t i = 1; i <= 5; ++i) {
    const auto pushed = push();
    CHECK(pushed.id.seq == 1);
    epochs.insert(pushed.id.epoch);
    CHECK(epochs.size() == 2 * i - 1);
    CHECK(*epochs.rbegin() == pushed.id.epoch);
    REQUIRE(worker.remove("alice").value());
    const auto gone = read({.after = pushed.id});
    CHECK(gone.reset);
    CHECK(gone.cursor == Cursor{});
    const auto again = push();
    const auto reading = read({.after = pushed.id});
    CHECK(reading.reset);
    CHECK(reading.cursor == again.id);
    epochs.insert(again.id.epoch);
    CHECK(epochs.size() == 2 * i);
    CHECK(*epochs.rbegin() == again.id.epoch);
    REQUIRE(worker.remove("alice").value());
  }
}

TEST_CASE_FIXTURE(Mailboxes, "after Redis was emptied a cursor is answered by a reset") {
  push_many(4);
  worker.ask({"FLUSHALL"});
  clock.pass(1);
  push();
  const auto reading = read_after(3);
  CHECK(reading.reset);
  CHECK(reading.cursor == Cursor{epoch + 1, 1});
  CHECK(reading.count == 1);
}

// --- without a cursor --------------------------------------------------------------------------

TEST_CASE_FIXTURE(Mailboxes, "a client without a cursor is given each message once") {
  push_many(3);
  CHECK(seqs(consume()) == Seqs{1, 2, 3});
  CHECK(consume().count == 0);
  push_many(2);
  CHECK(seqs(consume()) == Seqs{4, 5});
  CHECK(consume().cursor == id(5));
  CHECK(view().queued == 0);
}

TEST_CASE_FIXTURE(
    Mailboxes,
    "the first poll without a cursor begins at the oldest message kept, and misses nothing") {
  push_many(50);
  const auto reading = consume();
  CHECK(seqs(reading).front() == 11);
  CHECK(reading.missed == 0);
  CHECK_FALSE(reading.reset);
}

TEST_CASE_FIXTURE(Mailboxes, "the cursor that the store keeps moves no further than the answer") {
  push_many(5);
  CHECK(seqs(read({.limit = 2})) == Seqs{1, 2});
  CHECK(view().oldest == id(3));
  CHECK(seqs(read({.limit = 2})) == Seqs{3, 4});
  CHECK(seqs(read({.limit = 2})) == Seqs{5});
}

TEST_CASE_FIXTURE(Mailboxes, "two clients without cursors are both given everything") {
  CHECK(consume("b").count == 0);
  push_many(2);
  CHECK(seqs(consume("a")) == Seqs{1, 2});
  push();
  CHECK(seqs(consume("b")) == Seqs{1, 2, 3});
  CHECK(seqs(consume("a")) == Seqs{3});
  CHECK(view().queued == 0);
}

TEST_CASE_FIXTURE(Mailboxes, "a client without a cursor is told exactly how many it missed") {
  push_many(3);
  CHECK(consume().count == 3);
  push_many(50);
  SUBCASE("as it comes back") {}
  SUBCASE("also if it was noted as away in between") {
    read({.limit = 0});
    read({.limit = 0, .park_until = in(1)});
  }
  const auto reading = consume();
  CHECK(reading.missed == 10);
  CHECK(reading.count == 40);
  CHECK(consume().missed == 0);
}

TEST_CASE_FIXTURE(Mailboxes, "a client without a cursor is told of a reset, once") {
  push_many(3);
  CHECK(consume().count == 3);
  worker.ask({"DEL", keys.base, keys.unacked, keys.mailbox});
  clock.pass(1);
  push();
  SUBCASE("as it comes back") {}
  SUBCASE("also if it was noted as away in between") { read({.limit = 0}); }
  const auto reading = consume();
  CHECK(reading.reset);
  CHECK(reading.count == 1);
  CHECK_FALSE(consume().reset);
}

TEST_CASE_FIXTURE(Mailboxes, "a note of a client without a cursor does not move the kept one") {
  push_many(3);
  CHECK(seqs(read({.limit = 1})) == Seqs{1});
  read({.limit = 0, .watch_until = in(30'000)});
  CHECK(view().queued == 2);
  CHECK(seqs(consume()) == Seqs{2, 3});
}

TEST_CASE_FIXTURE(Mailboxes,
                  "a client may give its cursor at one time and leave it to the store at another") {
  push_many(4);
  CHECK(seqs(read_after(2)) == Seqs{3, 4});
  CHECK(seqs(consume()) == Seqs{3, 4});  // it had acknowledged 2
  CHECK(consume().count == 0);
}

// --- raw ---------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Mailboxes, "a read tells of raw elements that wait, a note does not") {
  CHECK_FALSE(consume().raw);
  worker.ask({"RPUSH", keys.mailbox, "by hand"});
  CHECK(consume().raw);
  CHECK_FALSE(read({.limit = 0}).raw);
  worker.ask({"DEL", keys.mailbox});
  push();
  CHECK_FALSE(consume().raw);
}

// --- everything together -----------------------------------------------------------------------

TEST_CASE_FIXTURE(Mailboxes, "count and missed always add up, and no expired message is given") {
  std::map<std::string, Cursor> cursors{{"a", {}}, {"b", {}}, {"c", {}}};
  std::map<uint64_t, uint64_t> expiries;  // of messages by SEQ
  for (const unsigned seed : {1U, 2U, 3U}) {
    CAPTURE(seed);
    std::mt19937 chance(seed);
    for (int step = 0; step < 1'000; ++step) {
      CAPTURE(step);
      if (chance() % 5 < 3) {
        const uint64_t expires = chance() % 3 == 0 ? in(1 + chance() % 500) : 0;
        const auto pushed = push("1", expires);
        expiries[pushed.id.seq] = expires;
        CHECK(pushed.id == id(expiries.size()));
      } else {
        auto& [client, cursor] = *std::next(cursors.begin(), static_cast<ptrdiff_t>(chance() % 3));
        const auto reading = read({.client = client, .after = cursor, .limit = 1 + chance() % 20});
        const auto given = seqs(reading);
        CHECK_FALSE(reading.reset);
        CHECK(std::is_sorted(given.begin(), given.end()));
        for (const uint64_t seq : given) {
          CHECK(seq > cursor.seq);
          CHECK((expiries[seq] == 0 || expiries[seq] > clock.wall_ms()));
        }
        if (cursor != Cursor{}) {
          CHECK(reading.cursor.seq - cursor.seq == reading.count + reading.missed);
        }
        if (chance() % 4 != 0) cursor = reading.cursor;  // else the answer was lost
      }
      clock.pass(chance() % 50);
    }
  }
}

}  // namespace
}  // namespace letterbox::test
