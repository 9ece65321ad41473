// SPDX-License-Identifier: MIT
//
// How long things are kept. Redis counts expiries by its own clock, so the tests look at how long
// each key has still to live.
#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "mailbox/keys.h"
#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

constexpr int64_t kLife = 1'000'000;
// The most that may have passed since it was set.
constexpr int64_t kMoment = 15'000;

struct Lives : Mailboxes {
  // -2: there is no such key; -1: it lives for ever.
  int64_t life(std::string_view key) { return worker.ask({"PTTL", key}).integer; }
  void shorten(std::string_view key, int64_t ms) {
    worker.ask({"PEXPIRE", key, std::to_string(ms)});
  }
  void nothing_lives_for_ever() {
    for (const auto& key : worker.ask({"KEYS", "*"}).texts()) {
      CAPTURE(key);
      // A ring for a program that watches alone is taken at once; the next push gives it an end.
      if (key == keys.mailbox && list().size() == 1) continue;
      CHECK(life(key) >= 0);
      CHECK(life(key) <= kLife * 9 / 8);
    }
  }
};

TEST_CASE_FIXTURE(Lives, "a push renews a mailbox's life, and its base expires first") {
  push();
  CHECK(life(keys.base) > kLife - kMoment);
  CHECK(life(keys.unacked) > life(keys.base));
  CHECK(life(keys.mailbox) > life(keys.base));
}

TEST_CASE_FIXTURE(Lives, "a poll renews a mailbox's life, and its base expires first") {
  push_many(2);
  read_after(1);
  CHECK(life(keys.base) > kLife - kMoment);
  CHECK(life(keys.clients) > life(keys.base));
}

TEST_CASE_FIXTURE(Lives, "expiries are renewed when a 64th of a life has passed") {
  push_many(2);
  read_after(1);
  for (const auto key : keys.views()) shorten(key, 5'000);
  SUBCASE("by a push") {
    clock.pass(kLife / 64 + 1);
    push();
  }
  SUBCASE("by a poll") {
    clock.pass(kLife / 64 + 1);
    read_after(1);
  }
  SUBCASE("by a poll of a new client") {
    clock.pass(kLife / 64 + 1);
    consume("new");
  }
  SUBCASE("by a note") {
    read({.after = id(1), .watch_until = in(30'000)});
    shorten(keys.base, 5'000);
    clock.pass(kLife / 64 + 1);
    read({.after = id(1), .limit = 0, .watch_until = in(30'000)});
  }
  CHECK(life(keys.base) > kLife - kMoment);
  for (const auto& key : {keys.unacked, keys.clients}) CHECK(life(key) > life(keys.base));
}

TEST_CASE_FIXTURE(Lives, "a list that was emptied and filled again expires like any other") {
  push();
  read_after(1);
  CHECK(life(keys.unacked) == -2);
  push();
  CHECK(life(keys.unacked) > life(keys.base));
  worker.ask({"DEL", keys.mailbox});
  push();
  CHECK(life(keys.mailbox) > life(keys.base));
}

TEST_CASE_FIXTURE(Lives, "the last rings for a killed program expire in ten minutes") {
  read({.after = Cursor{}, .watch_until = in(31'000)});
  push();
  push();
  CHECK(life(address_key("program", 0)) > 500'000);
  CHECK(life(address_key("program", 0)) <= 600'000);
  clock.pass(40'000);
  push();
  CHECK(life(keys.mailbox) > life(keys.base));
}

TEST_CASE_FIXTURE(Lives, "before the first push, what a poll leaves expires seconds after it") {
  SUBCASE("one that only looked") {
    read({.client = "tab", .after = Cursor{}});
    CHECK(life(keys.clients) <= 1'000);
  }
  SUBCASE("one that may be parked") {
    read({.client = "tab", .after = Cursor{}, .watch_until = in(31'000), .park_until = in(25'000)});
    CHECK(life(keys.base) > 25'000);
    CHECK(life(keys.clients) > 25'000);
  }
  SUBCASE("one that left again") {
    read({.client = "tab", .after = Cursor{}, .watch_until = in(31'000), .park_until = in(25'000)});
    read({.client = "tab", .after = Cursor{}, .limit = 0});
  }
  CHECK(life(keys.base) <= 31'000);
  CHECK(life(keys.clients) <= 31'000);
  CHECK(life(keys.unacked) == -2);
  CHECK(life(keys.mailbox) == -2);
  nothing_lives_for_ever();
}

TEST_CASE_FIXTURE(Lives,
                  "a poll that only looks does not shorten the note of a client that waits") {
  read({.client = "tab", .after = Cursor{}, .watch_until = in(31'000), .park_until = in(25'000)});
  read({.client = "phone", .after = Cursor{}});
  CHECK(life(keys.clients) > 25'000);
}

TEST_CASE_FIXTURE(
    Lives, "a client that waits when the first message comes is kept as long as the mailbox") {
  read({.client = "tab", .after = Cursor{}, .watch_until = in(31'000), .park_until = in(25'000)});
  push();
  CHECK(life(keys.clients) > life(keys.base));
}

TEST_CASE_FIXTURE(Lives, "what a removal leaves expires within a minute or so") {
  push_many(2);
  read({.client = "tab", .after = id(2), .watch_until = in(31'000), .park_until = in(25'000)});
  worker.remove("alice").value();
  for (const auto& key : {keys.base, keys.clients}) {
    CHECK(life(key) > 60'000 - kMoment);
    CHECK(life(key) <= 60'000);
  }
  nothing_lives_for_ever();
}

TEST_CASE_FIXTURE(Lives, "every key expires, whatever is done in any order") {
  const std::vector<std::string> clients{"", "tab", "phone"};
  for (unsigned seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    std::mt19937 chance(seed);
    worker.ask({"FLUSHALL"});
    Cursor last;
    for (int step = 0; step < 60; ++step) {
      CAPTURE(step);
      Ask ask{.client = clients[chance() % 3], .limit = chance() % 3};
      ask.watch_until = chance() % 2 == 0 ? 0 : in(31'000);
      ask.park_until = chance() % 2 == 0 ? 0 : in(25'000);
      switch (chance() % 8) {
        case 0:
        case 1:
          last = push("1", chance() % 2 == 0 ? in(100) : 0).id;
          break;
        case 2:
          worker.remove("alice").value();
          break;
        case 3:
          worker.ask({"LPOP", keys.mailbox});
          break;
        case 4:
          worker.adopt_all("alice").value();
          break;
        case 5:
          clock.pass(chance() % (kLife / 40));
          break;
        case 6:
          ask.after = last;
          read(ask);
          break;
        default:
          read(ask);
      }
      nothing_lives_for_ever();
    }
  }
}

}  // namespace
}  // namespace letterbox::test
