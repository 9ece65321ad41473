// SPDX-License-Identifier: MIT
//
// After rings that were not heard: all parked polls are looked at, some at a time, and only those
// with news are read.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/fake_waiting.h"
#include "tests/unit/loop_thread.h"
#include "waiting/room.h"

namespace letterbox::test {
namespace {

struct Lookout : FakeWaiting {
  // What a look sees of a client that has everything, while nothing was lost.
  Glimpse as_noted(const Cursor& newest) const {
    Glimpse seen;
    seen.newest = seen.cursor = newest;
    seen.noted = true;
    seen.watch_until = wall_in(25'000 + 5'000 + 1'000);
    seen.park_until = wall_in(25'000);
    return seen;
  }
  void answer_peek(Or<Store::Glimpses> with) {
    REQUIRE_FALSE(store.peeks.empty());
    const auto peek = std::move(store.peeks.front());
    store.peeks.pop_front();
    peek.then(std::move(with));
  }
  // Parks alice, who then may have missed a ring. Returns what a light look saw of her.
  std::shared_ptr<Heard> look(const Question& question, const std::optional<Glimpse>& seen) {
    auto heard = park(question);
    room.missed_rings(desk, {"alice"});
    answer_peek(Store::Glimpses{seen});
    return heard;
  }
};

TEST_CASE_FIXTURE(Lookout, "every parked poll is looked at, and only one with news is read") {
  const auto tab = park(with_cursor(id(4), "tab"));
  const auto phone = park(with_cursor(id(5), "phone"));
  room.missed_rings(desk, {"bob", "alice"});
  CHECK(store.reads.empty());
  REQUIRE(store.peeks.size() == 1);
  CHECK(store.peeks.front().clients ==
        std::vector<std::pair<std::string, std::string>>{{"alice", "tab"}, {"alice", "phone"}});
  CHECK_FALSE(store.peeks.front().lists);
  answer_peek(Store::Glimpses{as_noted(id(5)), as_noted(id(5))});
  REQUIRE(store.reads.size() == 1);
  CHECK(store.reads.front().client == "tab");
  answer_read(one(id(5)));
  CHECK(reason_of(tab) == "messages");
  CHECK(phone->count() == 0);
  CHECK(store.notes.empty());
  CHECK(store.acks.empty());
}

TEST_CASE_FIXTURE(Lookout, "a mailbox that a light look can't be sure of is read") {
  Question question = with_cursor(id(4));
  std::optional<Glimpse> seen = as_noted(id(4));
  SUBCASE("messages") { seen->newest = id(5); }
  SUBCASE("a mailbox that has lost messages") { seen->newest = id(3); }
  SUBCASE("another mailbox of that name") { seen->newest = {kEpoch + 1, 4}; }
  SUBCASE("no mailbox any more") { seen->newest = {}; }
  SUBCASE("raw elements") { seen->raw = true; }
  SUBCASE("a watch that was lost: a push meanwhile rings nowhere") { seen->watch_until = 0; }
  SUBCASE("a watch that is about to end") { seen->watch_until = wall_in(1'000); }
  SUBCASE("keys that hold something else") { seen.reset(); }
  SUBCASE("a cursor that the store keeps, and has moved") {
    question = without_cursor();
    seen = as_noted({});
    seen->cursor = id(3);
  }
  SUBCASE("a cursor that the store keeps, and has lost") {
    question = without_cursor();
    seen = as_noted({});
    seen->noted = false;
  }
  look(question, seen);
  CHECK(store.reads.size() == 1);
}

TEST_CASE_FIXTURE(
    Lookout, "a client whose cursor the store keeps is not read if the store's cursor is right") {
  look(without_cursor(), as_noted({}));
  CHECK(store.reads.empty());
}

TEST_CASE_FIXTURE(Lookout, "a client's notes that the store has lost are noted again") {
  Glimpse seen = as_noted(id(4));
  SUBCASE("the watch of this program, for long enough") {
    seen.watch_until = wall_in(25'000);
    look(with_cursor(id(4)), seen);
    REQUIRE(store.notes.size() == 1);
    CHECK(store.notes.front().watch_until == wall_in(25'000 + 5'000 + 1'000 + 60'000));
    CHECK(store.notes.front().after == id(4));
  }
  SUBCASE("the client") {
    seen.noted = false;
    seen.park_until = 0;
    look(with_cursor(id(4)), seen);
    REQUIRE(store.notes.size() == 1);
    CHECK(store.notes.front().park_until == wall_in(25'000));
  }
  SUBCASE("its parked poll") {
    seen.park_until = wall_in(0);
    look(with_cursor(id(4)), seen);
    REQUIRE(store.acks.size() == 1);
    CHECK(store.acks.front().after == id(4));
    CHECK(store.acks.front().park_until == wall_in(25'000));
  }
  CHECK(store.reads.empty());
}

TEST_CASE_FIXTURE(Lookout, "a mailbox counts as current only once it was looked at") {
  park(with_cursor(id(4), "other"));
  room.missed_rings(desk, {"alice"});
  enter(with_cursor(id(4), "tab"));
  CHECK(store.reads.size() == 1);
  store.reads.clear();
  answer_peek(Store::Glimpses{as_noted(id(4))});
  CHECK(store.reads.empty());
  enter(with_cursor(id(4), "phone"));
  CHECK(store.reads.empty());
}

TEST_CASE_FIXTURE(Lookout, "a mailbox that no listener hears never counts as current") {
  park(with_cursor(id(4), "other"));
  bells.deafen();
  enter(with_cursor(id(4), "tab"));
  CHECK(store.reads.size() == 1);
  SUBCASE("and its list is looked at as well") {
    room.missed_rings(desk, {"alice"});
    REQUIRE(store.peeks.size() == 1);
    CHECK(store.peeks.front().lists);
  }
}

TEST_CASE_FIXTURE(Lookout, "a ring between a light look and its answer counts") {
  const auto heard = park(with_cursor(id(4)));
  room.missed_rings(desk, {"alice"});
  SUBCASE("a ring that answers the poll") {
    rung(ring(id(5)));
    CHECK(reason_of(heard) == "messages");
    answer_peek(Store::Glimpses{as_noted(id(4))});
    CHECK(store.reads.empty());
  }
  SUBCASE("a ring that was not heard either") {
    room.missed_rings(desk, {"alice"});
    answer_peek(Store::Glimpses{as_noted(id(4))});
    CHECK(store.reads.size() == 1);
  }
}

TEST_CASE_FIXTURE(Lookout, "a client that has left while being looked at is not read") {
  const auto heard = park(with_cursor(id(4)));
  room.missed_rings(desk, {"alice"});
  heard->leave();
  answer_peek(Store::Glimpses{as_noted(id(5))});
  CHECK(store.reads.empty());
}

// --- a crowd -----------------------------------------------------------------------------------

TEST_CASE("fifty thousand users with missed rings are looked at gradually, never many at once") {
  constexpr size_t kCrowd = 50'000;
  constexpr size_t kAtOnce = 200;
  LoopThread thread;
  FakeStore store;
  FakeBells bells;
  Desk desk{thread.loop, store};
  Room room(thread.clock, bells, [] {});
  std::vector<std::shared_ptr<Heard>> waiting;
  std::vector<std::string> users;
  thread.on_loop([&] {
    for (size_t i = 0; i < kCrowd; ++i) {
      Question question = with_cursor(id(4));
      question.user = users.emplace_back("user" + std::to_string(i));
      auto heard = waiting.emplace_back(std::make_shared<Heard>());
      room.enter(desk, question, std::make_shared<FakeReplyTo>(heard));
      const auto read = std::move(store.reads.front());
      store.reads.pop_front();
      read.then(nothing_after(id(4)));
    }
    room.missed_rings(desk, users);
    room.missed_rings(desk, users);  // as lanes do that come and go
  });

  size_t looked_at = 0;
  size_t most_at_once = 0;
  bool fails = true;  // once
  const auto has_news = [](const std::string& user) { return user.ends_with("7"); };
  const auto answer_all = [&] {
    size_t asked = store.reads.size();
    for (const auto& peek : store.peeks) asked += peek.clients.size();
    most_at_once = std::max(most_at_once, asked);
    while (!store.peeks.empty()) {
      const auto peek = std::move(store.peeks.front());
      store.peeks.pop_front();
      if (std::exchange(fails, false)) return peek.then(away());
      looked_at += peek.clients.size();
      Store::Glimpses seen;
      for (const auto& [user, client] : peek.clients) {
        Glimpse glimpse;
        glimpse.newest = has_news(user) ? id(5) : id(4);
        glimpse.noted = true;
        glimpse.watch_until = glimpse.park_until = thread.clock.wall_ms() + 100'000;
        seen.emplace_back(glimpse);
      }
      peek.then(std::move(seen));
    }
    most_at_once = std::max(most_at_once, store.reads.size());
    while (!store.reads.empty()) {
      const auto read = std::move(store.reads.front());
      store.reads.pop_front();
      CHECK(has_news(read.user));
      read.then(one(id(5)));
    }
  };
  for (size_t portion = 0; portion < kCrowd / kAtOnce + 2; ++portion) {
    thread.on_loop(answer_all);
    thread.pass(600);  // the pause after a look, or after a failure
  }
  thread.halt();
  CHECK(looked_at == kCrowd);
  CHECK(most_at_once <= kAtOnce);
  CHECK(store.notes.empty());
  CHECK(store.acks.empty());
  for (size_t i = 0; i < kCrowd; ++i) {
    REQUIRE(waiting[i]->answers.size() == (has_news(users[i]) ? 1 : 0));
  }
}

}  // namespace
}  // namespace letterbox::test
