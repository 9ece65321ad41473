// SPDX-License-Identifier: MIT
//
// Mailboxes that several programs watch: a push hangs a bell for each, and none may be kept from
// whom it was for.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "tests/unit/fake_waiting.h"

namespace letterbox::test {
namespace {

using Bells = std::vector<FakeStore::Bell>;

struct Shared : FakeWaiting {
  // In a mailbox that is known to be watched by another program too.
  std::shared_ptr<Heard> park(Question question) {
    const Cursor at = question.after;
    auto heard = enter(std::move(question));
    REQUIRE(store.reads.size() == 1);
    Reading reading = nothing_after(at);
    reading.shared = true;
    answer_read(reading);
    REQUIRE(heard->count() == 0);
    store.rings.clear();
    return heard;
  }
  Reading nothing(bool shared) const {
    Reading reading = nothing_after(id(4));
    reading.shared = shared;
    return reading;
  }
  // A bell rings, and nothing is found.
  void ring_in_vain(uint64_t since_ms, bool shared = true) {
    rung(bell(since_ms));
    answer_read(nothing(shared));
    CHECK(store.rings.empty());
  }
};

TEST_CASE_FIXTURE(Shared,
                  "a bell that brought nothing is handed on a moment later, with its own time") {
  const auto heard = park(with_cursor(id(4)));
  const uint64_t since = clock.wall_ms();
  ring_in_vain(since);
  clock.pass(5);
  run_timers();
  CHECK(store.rings == Bells{{"alice", since}});
  CHECK(heard->count() == 0);
  CHECK(room.size() == 1);
}

TEST_CASE_FIXTURE(Shared, "a program that finds that it is not alone rings, once") {
  enter(with_cursor(id(4)));
  answer_read(nothing(true));
  REQUIRE(store.rings.size() == 1);
  CHECK(store.rings[0].user == "alice");
  CHECK(store.rings[0].since_ms == clock.wall_ms() - 1'800);
  enter(with_cursor(id(4), "phone"));
  answer_read(nothing(true));
  CHECK(store.rings.size() == 1);
}

TEST_CASE_FIXTURE(Shared, "what is handed on is not listened for at that moment") {
  park(with_cursor(id(4)));
  ring_in_vain(clock.wall_ms());
  const size_t before = bells.stood_back();
  clock.pass(5);
  run_timers();
  CHECK(store.rings.size() == 1);
  CHECK(bells.stood_back() == before + 1);
}

TEST_CASE_FIXTURE(Shared, "a client that is up to date asks nevertheless") {
  park(with_cursor(id(4), "tab"));
  enter(with_cursor(id(4), "phone"));
  CHECK(store.reads.size() == 1);
}

TEST_CASE_FIXTURE(
    Shared, "a poll that waits looks for itself after 700 ms, and finds what nobody rang for") {
  const auto heard = park(with_cursor(id(4)));
  clock.pass(700);
  run_timers();
  REQUIRE(store.reads.size() == 1);
  answer_read(one(id(5)));
  CHECK(reason_of(heard) == "messages");
}

TEST_CASE_FIXTURE(Shared, "the older a bell, the later it is handed on") {
  park(with_cursor(id(4)));
  const uint64_t since = clock.wall_ms() - 1'000;
  ring_in_vain(since);
  SUBCASE("not yet") {
    clock.pass(499);
    run_timers();
    CHECK(store.rings.empty());
  }
  SUBCASE("now") {
    clock.pass(500);
    run_timers();
    CHECK(store.rings == Bells{{"alice", since}});
  }
}

TEST_CASE_FIXTURE(Shared, "a bell is not handed on") {
  const auto heard = park(with_cursor(id(4)));
  SUBCASE("where this program alone watches") { ring_in_vain(clock.wall_ms(), false); }
  SUBCASE("where it has gone round for two seconds") { ring_in_vain(clock.wall_ms() - 2'001); }
  SUBCASE("where it brought a message") {
    rung(bell(clock.wall_ms()));
    Reading reading = one(id(5));
    reading.shared = true;
    answer_read(reading);
    CHECK(reason_of(heard) == "messages");
  }
  clock.pass(3'000);
  run_timers();
  CHECK(store.rings.empty());
}

TEST_CASE_FIXTURE(Shared,
                  "of two bells taken during one read the second is handed on, whatever is found") {
  park(with_cursor(id(4)));
  const uint64_t since = clock.wall_ms();
  rung(bell(since));
  rung(bell(since));
  Reading reading = one(id(5));
  reading.shared = true;
  answer_read(reading);
  clock.pass(5);
  run_timers();
  CHECK(store.rings == Bells{{"alice", since}});
}

TEST_CASE_FIXTURE(Shared, "a bell is read for by all clients here before it is handed on, once") {
  const auto tab = park(with_cursor(id(4), "tab"));
  const auto phone = park(with_cursor(id(4), "phone"));
  const uint64_t since = clock.wall_ms();
  rung(bell(since));
  REQUIRE(store.reads.size() == 2);
  answer_read(nothing(true));
  answer_read(nothing(true));
  clock.pass(5);
  run_timers();
  CHECK(store.rings == Bells{{"alice", since}});
  CHECK(room.size() == 2);
}

struct Unasked : Shared {
  // A bell rings while alice's only client is between two polls.
  Unasked() {
    park(with_cursor(id(4), "tab"));
    rung(ring(id(5)));
    store.notes.clear();
    rung(bell(since));
    CHECK(store.rings.empty());
  }
  Reading noted(bool shared) const {
    Reading reading;
    reading.shared = shared;
    return reading;
  }
  const uint64_t since = clock.wall_ms() - 7;
};

TEST_CASE_FIXTURE(Unasked, "a bell for clients between two polls is theirs who come back") {
  const auto heard = enter(with_cursor(id(5), "tab"));
  answer_read(one(id(6)));
  CHECK(reason_of(heard) == "messages");
  clock.pass(5);
  run_timers();
  CHECK(store.notes.empty());
  CHECK(store.rings.empty());
}

TEST_CASE_FIXTURE(Unasked, "a bell that nobody came for is handed on if another program watches") {
  std::optional<Or<Reading>> answer;
  Bells handed_on{{"alice", since}};
  SUBCASE("it does") { answer = noted(true); }
  SUBCASE("or may, that can't be known") { answer = away(); }
  SUBCASE("else not") {
    answer = noted(false);
    handed_on.clear();
  }
  clock.pass(5);
  loop.at(clock.steady_ms(), [&] {
    REQUIRE(store.notes.size() == 1);
    CHECK(store.notes.front().park_until == 0);
    answer_note(*answer);
    clock.pass(10);
    loop.at(clock.steady_ms(), [&] { loop.stop(); });
  });
  loop.run();
  CHECK(store.rings == handed_on);
  CHECK(bells.watches("alice"));
}

TEST_CASE_FIXTURE(Shared, "a bell whose clients are forgotten the moment after is handed on") {
  park(with_cursor(id(4)));
  rung(ring(id(5)));
  tick_after(500);
  tick_after(4'499);
  const uint64_t since = clock.wall_ms();
  rung(bell(since));
  tick_after(1);
  REQUIRE_FALSE(bells.watches("alice"));
  clock.pass(4);
  loop.at(clock.steady_ms(), [&] {
    clock.pass(10);
    loop.at(clock.steady_ms(), [&] { loop.stop(); });
  });
  loop.run();
  CHECK(store.rings == Bells{{"alice", since}});
}

TEST_CASE_FIXTURE(Unasked, "clients for whom a bell was kept are noted as away in time") {
  tick_after(500);
  REQUIRE(store.notes.size() == 1);
  CHECK(store.notes.front().park_until == 0);
}

TEST_CASE_FIXTURE(Shared, "a ring that carries a message is nobody else's") {
  park(with_cursor(id(4)));
  rung(ring(id(5)));
  rung(ring(id(6)));
  clock.pass(5);
  run_timers();
  CHECK(store.rings.empty());
  CHECK(bells.watches("alice"));
}

// --- rings -------------------------------------------------------------------------------------

// A ring hangs there for a program that watched alone; one that came meanwhile, and has read
// everything, may be quicker at the list.
TEST_CASE_FIXTURE(Shared, "a ring that tells nothing new is handed on to the other program") {
  const auto heard = park(with_cursor(id(4)));
  rung(ring(id(4)));
  CHECK(heard->count() == 0);
  clock.pass(5);
  run_timers();
  CHECK(store.rings == Bells{{"alice", clock.wall_ms() - 5}});
}

TEST_CASE_FIXTURE(Shared, "a ring is not handed on") {
  SUBCASE("where no other program watches") {
    FakeWaiting::park(with_cursor(id(4)));
    rung(ring(id(4)));
  }
  SUBCASE("where it tells something new") {
    park(with_cursor(id(4)));
    rung(ring(id(5)));
  }
  clock.pass(5);
  run_timers();
  CHECK(store.rings.empty());
}

TEST_CASE_FIXTURE(Shared, "what a lane took before the mailbox is listened for is hung again") {
  const auto heard = enter(with_cursor(id(4)));
  SUBCASE("a ring") {
    rung(ring(id(4)));
    CHECK(store.rings == Bells{{"alice", clock.wall_ms()}});
  }
  SUBCASE("a bell") {
    rung(bell());
    CHECK(store.rings == Bells{{"alice", kBellMs}});
  }
  // It is counted all the same.
  answer_read(nothing(true));
  CHECK(store.reads.size() == 1);
  CHECK(heard->count() == 0);
}

}  // namespace
}  // namespace letterbox::test
