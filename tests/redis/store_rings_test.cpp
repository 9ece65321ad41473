// SPDX-License-Identifier: MIT
//
// What hangs in the list that the lanes listen to, and what a push says of those who listen.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "model/message.h"
#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

struct Rings : Mailboxes {
  using Kind = Ring::Kind;

  std::vector<Kind> kinds() {
    std::vector<Kind> all;
    for (const auto& element : list()) all.push_back(parse_ring(element).kind);
    return all;
  }
  std::string take() { return worker.ask({"LPOP", keys.mailbox}).text; }
  void hang_raw() { worker.ask({"RPUSH", keys.mailbox, "by hand"}); }

  // A program says that it listens.
  void watch(std::string_view who, uint64_t for_ms) {
    RedisWorker program(server.login(), clock, small_limits(), std::string(who));
    REQUIRE(program.comes_up());
    REQUIRE(
        program.read({.client = std::string(who), .after = Cursor{}, .watch_until = in(for_ms)}));
  }
};

constexpr auto kMessage = Ring::Kind::message;
constexpr auto kBell = Ring::Kind::bell;
constexpr auto kRaw = Ring::Kind::raw;
using Kinds = std::vector<Ring::Kind>;

// --- one ring ----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Rings,
                  "a push hangs a ring that carries its message, whether or not anybody watches") {
  bool watched = false;
  SUBCASE("nobody") {}
  SUBCASE("one program") {
    watch("one", 30'000);
    watched = true;
  }
  CHECK(push("[1,2]").waiting == watched);
  const auto hanging = list();
  REQUIRE(hanging.size() == 1);
  const Ring ring = parse_ring(hanging[0]);
  REQUIRE(ring.kind == kMessage);
  CHECK(ring.id == id(1));
  CHECK(ring.element.body ==
        R"({"type":"mail","data":[1,2],"time":)" + std::to_string(clock.wall_ms()) + "}");
}

TEST_CASE_FIXTURE(Rings,
                  "where nobody watches a ring becomes a bell with the next push, and stays one") {
  push();
  for (int i = 0; i < 5; ++i) {
    push();
    CHECK(kinds() == Kinds{kBell});
  }
}

TEST_CASE_FIXTURE(
    Rings, "a program that watches alone gets a ring for each push, and a bell after seven") {
  watch("one", 30'000);
  push_many(12);
  for (uint64_t seq = 1; seq <= 7; ++seq) {
    const std::string hanging = take();
    const Ring ring = parse_ring(hanging);
    REQUIRE(ring.kind == kMessage);
    CHECK(ring.id == id(seq));
  }
  CHECK(kinds() == Kinds{kBell});
}

TEST_CASE_FIXTURE(Rings, "what hangs in a row for one program is no bell for a second one") {
  watch("one", 30'000);
  push_many(3);
  watch("two", 30'000);
  push();
  CHECK(kinds() == Kinds{kMessage, kMessage, kBell, kBell});
  push();
  CHECK(kinds() == Kinds{kMessage, kMessage, kBell, kBell});
}

TEST_CASE_FIXTURE(Rings, "what hangs in a row when a program goes ends in one bell") {
  watch("one", 30'000);
  push_many(3);
  watch("one", 0);
  push_many(3);
  CHECK(kinds() == Kinds{kMessage, kMessage, kBell});
}

TEST_CASE_FIXTURE(Rings, "after a ring was taken the next one carries its message again") {
  for (uint64_t seq = 1; seq <= 4; ++seq) {
    push();
    if (seq == 2) push();  // a bell this time
    const std::string hanging = take();
    const Ring ring = parse_ring(hanging);
    CHECK(ring.kind == (seq == 2 ? kBell : kMessage));
    CHECK(list().empty());
  }
}

TEST_CASE_FIXTURE(Rings, "a message too long for a ring is announced by a bell") {
  const std::string data = '"' + std::string(440, 'x') + '"';
  const size_t around = make_element("mail", data, clock.wall_ms(), 0).size() - data.size();
  push('"' + std::string(500 - around - 2, 'x') + '"');
  CHECK(parse_ring(take()).kind == kMessage);
  push('"' + std::string(501 - around - 2, 'x') + '"');
  CHECK(parse_ring(take()).kind == kBell);
}

// --- several watchers --------------------------------------------------------------------------

TEST_CASE_FIXTURE(Rings, "each of several programs that watch gets a bell") {
  watch("one", 30'000);
  watch("two", 30'000);
  push();
  CHECK(kinds() == Kinds{kBell, kBell});
  SUBCASE("no more than one each, if none is taken") {
    push_many(3);
    CHECK(kinds() == Kinds{kBell, kBell});
  }
  SUBCASE("again, once one was taken") {
    take();
    push();
    CHECK(kinds() == Kinds{kBell, kBell});
  }
  SUBCASE("and a third one, once it watches too") {
    watch("three", 30'000);
    push();
    CHECK(kinds() == Kinds{kBell, kBell, kBell});
  }
}

TEST_CASE_FIXTURE(Rings, "a program whose watch has run out gets none") {
  watch("one", 30'000);
  watch("two", 20'000);
  clock.pass(20'000);
  CHECK(push().waiting);
  CHECK(kinds() == Kinds{kMessage});
  take();
  clock.pass(10'000);
  CHECK_FALSE(push().waiting);
}

TEST_CASE_FIXTURE(Rings, "a program that says it listens no longer gets none") {
  watch("one", 30'000);
  watch("two", 30'000);
  watch("two", 0);
  CHECK(push().waiting);
  CHECK(kinds() == Kinds{kMessage});
  watch("one", 0);
  CHECK_FALSE(push().waiting);
}

TEST_CASE_FIXTURE(Rings, "a program that watches on counts as one") {
  for (int i = 0; i < 5; ++i) watch("one", 30'000 + static_cast<uint64_t>(i));
  push();
  CHECK(kinds() == Kinds{kMessage});
}

// --- waiting -----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(
    Rings, "nobody is waiting where a ring has hung for two seconds, whoever said to watch") {
  watch("one", 60'000);
  CHECK(push().waiting);
  push_many(2);
  clock.pass(1'999);
  CHECK(push().waiting);
  clock.pass(1);
  CHECK_FALSE(push().waiting);
  clock.pass(5'000);
  CHECK_FALSE(push().waiting);
  SUBCASE("until somebody takes all") {
    while (!list().empty()) take();
  }
  SUBCASE("until all is removed") { worker.remove("alice").value(); }
  CHECK(push().waiting);
}

TEST_CASE_FIXTURE(Rings, "nobody is waiting where one of two bells has hung for two seconds") {
  watch("one", 60'000);
  watch("two", 60'000);
  CHECK(push().waiting);
  clock.pass(2'000);
  CHECK_FALSE(push().waiting);
}

// --- raw elements ------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Rings, "behind a raw element a push hangs a bell") {
  hang_raw();
  push();
  CHECK(kinds() == Kinds{kRaw, kBell});
  push();
  CHECK(kinds() == Kinds{kRaw, kBell});
  hang_raw();
  push();
  CHECK(kinds() == Kinds{kRaw, kBell, kRaw, kBell});
}

TEST_CASE_FIXTURE(Rings,
                  "a ring before a raw element still carries its message, a bell is hung behind") {
  push();
  hang_raw();
  push();
  const auto hanging = kinds();
  REQUIRE(hanging.size() == 3);
  CHECK(hanging[1] == kRaw);
  CHECK(hanging[2] == kBell);
  // Whoever takes the first one must not think that it is the newest without hearing the bell.
  CHECK(parse_ring(take()).id.seq <= 1);
}

// --- ringing on --------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Rings, "a bell can be rung for whoever else may wait") {
  const uint64_t since = clock.wall_ms() - 7;
  worker.on_loop([&] {
    worker.store.ring("alice", since);
    return true;
  });
  worker.ask({"PING"});
  REQUIRE(kinds() == Kinds{kBell});
  CHECK(parse_ring(list()[0]).since == since);
  CHECK(worker.ask({"PTTL", keys.mailbox}).integer > 0);
  push();
  CHECK(kinds() == Kinds{kBell});
}

}  // namespace
}  // namespace letterbox::test
