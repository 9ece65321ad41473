// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "mailbox/presence_book.h"
#include "tests/unit/fake_presence.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/loop_thread.h"

namespace letterbox::test {
namespace {

// More than the time for which notes are gathered.
constexpr uint64_t kMoment = 150;

struct Noting {
  LoopThread life;
  FakePresence store;
  PresenceBook book{life.loop, store, 5};

  ~Noting() { life.halt(); }

  struct Said {
    std::string user = "alice";
    std::string client = "tab";
    uint64_t grace_ms = 37'500;
    std::string address = "127.0.0.1";
    std::string agent = "curl/8";
  };
  void seen(const Said& said) {
    life.on_loop([&] {
      book.seen(said.user, said.client, said.address, said.agent, now() + said.grace_ms);
    });
  }
  uint64_t now() const { return life.clock.wall_ms(); }

  // What has been written by now, and taken by the store.
  std::vector<PresenceStore::Note> written() {
    life.pass(kMoment);
    std::vector<PresenceStore::Note> notes;
    life.on_loop([&] {
      while (!store.batches.empty()) {
        const auto& batch = store.batches.front().notes;
        notes.insert(notes.end(), batch.begin(), batch.end());
        answer_oldest(store.batches, true);
      }
    });
    return notes;
  }
  void answer(Or<bool> with) {
    life.on_loop([&] {
      REQUIRE(store.batches.size() == 1);
      answer_oldest(store.batches, std::move(with));
    });
  }
};

TEST_CASE_FIXTURE(Noting,
                  "a client that polls for the first time is written with everything it said") {
  const uint64_t polled = now();
  seen({});
  const auto notes = written();
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].user == "alice");
  CHECK(notes[0].client.name == "tab");
  CHECK(notes[0].client.last_ms == polled);
  CHECK(notes[0].client.until_ms == polled + 37'500 + 5'000);
  CHECK(notes[0].client.address == "127.0.0.1");
  CHECK(notes[0].client.agent == "curl/8");
  CHECK(book.figures().notes.value() == 1);
  CHECK(book.figures().writes.value() == 1);
}

TEST_CASE_FIXTURE(Noting, "without anything to write the store is asked nothing") {
  life.pass(60'000);
  CHECK(store.batches.empty());
}

TEST_CASE_FIXTURE(Noting, "a client that polls again and again is written once in five seconds") {
  seen({});
  CHECK(written().size() == 1);
  size_t writes = 0;
  for (int i = 0; i < 200; ++i) {  // 30 s
    seen({});
    writes += written().size();
  }
  CHECK(writes >= 5);
  CHECK(writes <= 6);
}

TEST_CASE_FIXTURE(Noting,
                  "the last activity in the store is never more than five seconds too old") {
  uint64_t noted = 0;
  for (int i = 0; i < 100; ++i) {
    seen({.grace_ms = i % 2 == 0 ? 75'000U : 1'000U});
    const uint64_t polled = now();
    for (const auto& note : written()) noted = note.client.last_ms;
    CHECK(polled - noted < 5'000);
  }
}

TEST_CASE_FIXTURE(Noting, "a client that comes from another address or program is written again") {
  seen({});
  CHECK(written().size() == 1);
  seen({.address = "10.0.0.7"});
  CHECK(written().at(0).client.address == "10.0.0.7");
  seen({.address = "10.0.0.7", .agent = "Firefox"});
  CHECK(written().at(0).client.agent == "Firefox");
  seen({.address = "10.0.0.7", .agent = "Firefox"});
  CHECK(written().empty());
}

TEST_CASE_FIXTURE(Noting, "each client of each user is written by itself") {
  seen({});
  seen({.client = ""});
  seen({.user = "bob"});
  const auto notes = written();
  CHECK(notes.size() == 3);
  CHECK(std::count_if(notes.begin(), notes.end(), [](auto& n) { return n.user == "alice"; }) == 2);
  CHECK(book.figures().writes.value() == 1);
}

TEST_CASE_FIXTURE(Noting,
                  "a client that polls is written as online all the while, and hardly for longer") {
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same polls each time
  uint64_t until = 0;
  uint64_t longest = 0;
  uint64_t written_until = 0;
  for (int i = 0; i < 2'000; ++i) {
    const uint64_t timeout = random() % 3 == 0 ? 25'000 : random() % 2'000;
    const uint64_t grace = std::max<uint64_t>(1'000, timeout * 3 / 2);
    seen({.grace_ms = grace});
    until = std::max(until, now() + grace);
    longest = std::max(longest, now() + grace + std::min<uint64_t>(5'000, grace / 6));
    for (const auto& note : written()) {
      written_until = std::max(written_until, note.client.until_ms);
    }
    CHECK(written_until >= until);
    CHECK(written_until <= longest);
    life.pass(random() % std::max<uint64_t>(timeout, 1));
  }
}

TEST_CASE_FIXTURE(Noting, "many clients are written in batches, one on its way at a time") {
  for (int i = 0; i < 45; ++i) seen({.user = "user" + std::to_string(i)});
  life.pass(kMoment);
  std::vector<size_t> sizes;
  while (!store.batches.empty()) {
    CHECK(store.batches.size() == 1);
    sizes.push_back(store.batches.front().notes.size());
    answer(true);
    life.pass(kMoment);
  }
  CHECK(sizes == std::vector<size_t>{10, 10, 10, 10, 5});
}

TEST_CASE_FIXTURE(
    Noting,
    "a note that the store did not take is written again a second later, as it is by then") {
  seen({});
  life.pass(kMoment);
  seen({.client = "phone"});
  answer(away());
  seen({.address = "10.0.0.7"});
  life.pass(kMoment);
  CHECK(store.batches.empty());
  life.pass(1'000);
  REQUIRE(store.batches.size() == 1);
  const auto notes = store.batches.front().notes;
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].client.address == "10.0.0.7");
  CHECK(notes[1].client.name == "phone");
  answer(true);
  CHECK(written().empty());
}

TEST_CASE_FIXTURE(Noting, "a note that changes while it is being written is written again") {
  seen({});
  life.pass(kMoment);
  seen({.agent = "Firefox"});
  life.pass(kMoment);
  CHECK(store.batches.size() == 1);
  answer(true);
  CHECK(written().at(0).client.agent == "Firefox");
}

TEST_CASE_FIXTURE(Noting, "a client that goes before it could be written is not written") {
  seen({.grace_ms = 1'200});
  life.pass(kMoment);
  answer(away());
  life.pass(1'400);
  CHECK(store.batches.empty());
  CHECK(written().empty());
}

TEST_CASE_FIXTURE(Noting, "after an outage of the store all online clients are written again") {
  for (int i = 0; i < 80; ++i) seen({.user = "user" + std::to_string(i)});
  CHECK(written().size() == 80);
  life.pass(5'000);
  CHECK(written().empty());
  life.on_loop([&] { ++store.was_away; });
  life.pass(5'000);
  CHECK(written().size() == 80);
  life.pass(5'000);
  CHECK(written().empty());
}

TEST_CASE_FIXTURE(Noting, "a client that has gone is forgotten") {
  for (int i = 0; i < 1'000; ++i) seen({.user = "user" + std::to_string(i), .grace_ms = 30'000});
  written();
  CHECK(book.size() == 1'000);
  for (int i = 0; i < 8; ++i) life.pass(5'000);
  CHECK(book.size() == 0);
  CHECK(store.batches.empty());
}

TEST_CASE_FIXTURE(Noting, "if a user has too many clients the one that expires first is dropped") {
  for (int i = 0; i < 5; ++i) seen({.client = std::to_string(i), .grace_ms = 30'000U - 1'000 * i});
  CHECK(written().size() == 5);
  for (int i = 0; i < 1'000; ++i) seen({.client = "another", .agent = std::to_string(i)});
  seen({.client = "0", .grace_ms = 30'000});
  const auto notes = written();  // "4" was dropped, "0" is known
  CHECK(notes.size() == 1);
  CHECK(notes[0].client.name == "another");
  CHECK(notes[0].client.agent == "999");
}

TEST_CASE_FIXTURE(Noting, "address and user agent are cut to their bounds") {
  const std::string umlauts = [] {
    std::string text = "x";
    while (text.size() < 300) text += "ü";
    return text;
  }();
  seen({.address = "", .agent = umlauts});
  auto client = written().at(0).client;
  CHECK(client.address == "-");
  CHECK(client.agent == umlauts.substr(0, 199));
  seen({.address = "unix: x", .agent = ""});
  client = written().at(0).client;
  CHECK(client.address == "unix:");
  CHECK(client.agent.empty());
  seen({.address = std::string(1'000, '1'), .agent = std::string(1'000, '\x80')});
  client = written().at(0).client;
  CHECK(client.address.size() == 64);
  CHECK(client.agent.size() <= 200);
}

}  // namespace
}  // namespace letterbox::test
