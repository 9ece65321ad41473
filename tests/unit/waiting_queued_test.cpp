// SPDX-License-Identifier: MIT
//
// Polls that wait in the room for their turn to read.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/fake_waiting.h"

namespace letterbox::test {
namespace {

struct Queueing : FakeWaiting {
  explicit Queueing(const RoomLimits& limits = {}) : FakeWaiting(limits) {}

  static Question of(std::string user, std::string client = "") {
    Question question = with_cursor(id(4), std::move(client));
    question.user = std::move(user);
    return question;
  }
  // Takes all reads that may be under way, so that no other poll reads.
  void keep_the_store_busy() {
    for (int i = 0; store.reads.size() == static_cast<size_t>(i); ++i) {
      enter(of("busy" + std::to_string(i)));
    }
    REQUIRE(room.waiting_reads() == 1);
  }
  // No poll is queued any more.
  void answer_all_reads() {
    while (!store.reads.empty()) answer_read(nothing_after(id(4)));
  }
};

TEST_CASE_FIXTURE(Queueing, "the reads under way are bounded, and every poll's turn comes") {
  std::vector<std::shared_ptr<Heard>> all;
  all.reserve(300);
  for (int i = 0; i < 300; ++i) all.push_back(enter(of("user" + std::to_string(i))));
  CHECK(store.reads.size() == 4);
  CHECK(room.reads_under_way() == 4);
  CHECK(room.waiting_reads() == 296);
  size_t most = 0;
  while (!store.reads.empty()) {
    most = std::max(most, store.reads.size());
    answer_read(one(id(5)));
  }
  CHECK(most == 16);
  for (const auto& heard : all) CHECK(reason_of(heard) == "messages");
  CHECK(room.waiting_reads() + room.reads_under_way() == 0);
}

TEST_CASE_FIXTURE(Queueing, "a user's hundred polls leave another's read unhindered") {
  for (int i = 0; i < 100; ++i) enter(of("alice", std::to_string(i)));
  CHECK(store.reads.size() == 2);
  enter(of("bob"));
  CHECK(store.reads.back().user == "bob");
}

TEST_CASE_FIXTURE(Queueing, "a poll that is superseded while it waits its turn costs no read") {
  const auto first = enter(only_looking(of("alice")));
  const auto second = enter(only_looking(of("alice")));
  const auto third = enter(only_looking(of("alice")));
  CHECK(store.reads.size() == 1);
  CHECK(room.waiting_reads() == 1);
  answer_read(one(id(5)));
  CHECK(reason_of(first) == "messages");
  answer_read(one(id(5)));
  CHECK(reason_of(third) == "messages");
  CHECK(store.reads.empty());
  tick_after(999);
  CHECK(second->count() == 0);
  tick_after(1);
  CHECK(reason_of(second) == "superseded");
  CHECK(retry_of(second) >= 1000);
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(Queueing, "a poll that goes while it waits its turn costs no read") {
  keep_the_store_busy();
  const auto heard = enter(of("alice"));
  heard->leave();
  CHECK(room.waiting_reads() == 1);
  answer_all_reads();
  CHECK(room.ended(Reason::gone) == 1);
  CHECK(heard->count() == 0);
  CHECK_FALSE(bells.watches("alice"));
}

TEST_CASE_FIXTURE(Queueing,
                  "a message that rings while a poll waits its turn is found by its read") {
  keep_the_store_busy();
  const auto heard = enter(of("alice"));
  rung(bell());
  CHECK(room.waiting_reads() == 2);
  while (!store.reads.empty()) {
    answer_read(store.reads.front().user == "alice" ? one(id(5)) : nothing_after(id(4)));
  }
  CHECK(reason_of(heard) == "messages");
}

TEST_CASE_FIXTURE(Queueing, "a new poll that waits its turn for twenty seconds is overloaded") {
  keep_the_store_busy();
  const auto heard = enter(of("alice"));
  CHECK(tick_after(19'999) == 1);
  CHECK(heard->count() == 0);
  tick_after(1);
  REQUIRE(heard->refusals.size() == 1);
  CHECK(heard->refusals.front().code == Code::overloaded);
  CHECK(heard->refusals.front().retry_after_ms >= 5000);
  CHECK(room.waiting_reads() == 0);
  answer_all_reads();
  CHECK(heard->count() == 1);
}

TEST_CASE_FIXTURE(Queueing, "a poll that was parked waits its turn until its time is up") {
  const auto heard = park(of("alice"));
  keep_the_store_busy();
  tick_after(10'000);
  rung(bell());
  CHECK(room.waiting_reads() == 2);
  tick_after(14'999);
  CHECK(heard->count() == 0);
  tick_after(1);
  CHECK(reason_of(heard) == "timeout");
}

TEST_CASE_FIXTURE(Queueing, "polls that wait their turn are answered as the program ends") {
  keep_the_store_busy();
  const auto heard = enter(of("alice"));
  room.close(desk);
  CHECK(reason_of(heard) == "shutdown");
  CHECK(room.waiting_reads() == 0);
  answer_all_reads();
  CHECK(room.size() == 0);
}

TEST_CASE("no more new polls wait their turn than may be parked, parked ones always may") {
  struct Narrow : Queueing {
    Narrow() : Queueing({.parked = 3, .clients = 100}) {}
  } narrow;
  const auto parked = narrow.park(Queueing::of("alice"));
  narrow.keep_the_store_busy();
  narrow.enter(Queueing::of("one"));
  narrow.enter(Queueing::of("two"));
  CHECK(narrow.room.waiting_reads() == 3);
  const auto heard = narrow.enter(Queueing::of("three"));
  REQUIRE(heard->refusals.size() == 1);
  CHECK(heard->refusals.front().code == Code::overloaded);
  narrow.rung(bell());
  CHECK(narrow.room.waiting_reads() == 4);
  CHECK(parked->count() == 0);
}

TEST_CASE("if the store fails at once all polls that wait fail in one go") {
  struct AwayStore final : Store {
    void push_each(std::span<const std::string_view>, std::string_view, const PushOptions&,
                   ThenEach) override {}
    void read(const ReadRequest&, Then<Reading> then) override {
      if (!is_away) return waiting.push_back(std::move(then));
      then(away());
    }
    void acknowledge(std::string_view, std::string_view, const Cursor&, uint64_t,
                     Then<bool>) override {}
    void peek(std::span<const Parked>, bool, Then<Glimpses>) override {}
    void view(std::string_view, const Window&, Then<MailboxView>) override {}
    void unread(std::string_view, std::string_view, Then<uint64_t>) override {}
    void retract(std::string_view, const Cursor&, Then<bool>) override {}
    void remove(std::string_view, Then<bool>) override {}
    void adopt(std::string_view, std::string_view, Then<Pushed>) override {}
    void adopt_all(std::string_view, Then<bool>) override {}

    bool is_away = false;
    std::vector<Then<Reading>> waiting;
  };
  Queueing waiting;
  AwayStore store;
  Desk desk{waiting.loop, store};
  std::vector<std::shared_ptr<Heard>> all;
  for (int i = 0; i < 50'000; ++i) {
    all.push_back(std::make_shared<Heard>());
    waiting.room.enter(desk, Queueing::of("user" + std::to_string(i)),
                       std::make_shared<FakeReplyTo>(all.back()));
  }
  store.is_away = true;
  for (const auto& then : std::exchange(store.waiting, {})) then(away());
  for (const auto& heard : all) CHECK(heard->refusals.size() == 1);
  CHECK(waiting.room.size() == 0);
}

// --- repeats at once ---------------------------------------------------------------------------

TEST_CASE_FIXTURE(
    Queueing, "a hundred polls at once for the same count as repeats, as they would one by one") {
  std::vector<std::shared_ptr<Heard>> all;
  all.reserve(100);
  for (int i = 0; i < 100; ++i) all.push_back(enter(only_looking(of("alice"))));
  size_t reads = 0;
  for (int ms = 0; ms < 1000; ++ms) {
    while (!store.reads.empty()) {
      answer_read(one(id(5)));
      ++reads;
    }
    if (ms < 100) CHECK(reads == 1);  // of the first; the last is held back
    tick_after(1);
  }
  CHECK(reads == 2);
  CHECK(reason_of(all.front()) == "messages");
  CHECK(reason_of(all.back()) == "messages");
}

TEST_CASE_FIXTURE(Queueing,
                  "a client that asks for the same each millisecond costs a read a second") {
  size_t reads = 0;
  for (int ms = 0; ms < 10'000; ++ms) {
    enter(only_looking(of("alice")));
    while (!store.reads.empty()) {
      answer_read(one(id(5)));
      ++reads;
    }
    tick_after(1);
  }
  CHECK(reads >= 10);
  CHECK(reads <= 15);
}

TEST_CASE_FIXTURE(Queueing, "a client that moves on during its read is not held back") {
  for (uint64_t seq = 1; seq < 50; ++seq) {
    enter(only_looking(with_cursor(id(seq))));
    CHECK(room.waiting_reads() == (seq > 1 ? 1 : 0));
  }
}

}  // namespace
}  // namespace letterbox::test
