// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mailbox/sweeper.h"
#include "tests/unit/fake_presence.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/loop_thread.h"

namespace letterbox::test {
namespace {

struct Sweeping {
  struct Delivery {
    std::string text;
    Callback<void(bool)> then;
  };

  LoopThread life;
  FakePresence store;
  std::deque<Delivery> deliveries;
  Sweeper sweeper{life.loop, store,
                  [this](std::string_view type, std::string_view data, Callback<void(bool)> then) {
                    const auto text = std::string(type) + " " + std::string(data);
                    deliveries.push_back({text, std::move(then)});
                  }};

  Sweeping() {
    life.on_loop([this] { sweeper.start(); });
  }
  ~Sweeping() { life.halt(); }
  Sweeping(const Sweeping&) = delete;
  Sweeping& operator=(const Sweeping&) = delete;

  void found(Or<PresenceStore::Swept> swept) {
    REQUIRE(store.sweeps.size() == 1);
    life.on_loop([&] { answer_oldest(store.sweeps, std::move(swept)); });
  }
  void found_events(std::vector<std::string> events) {
    PresenceStore::Swept swept;
    swept.waiting = events.size();
    swept.events = std::move(events);
    found(std::move(swept));
  }
  void take(bool taken) {
    REQUIRE_FALSE(deliveries.empty());
    life.on_loop([&] { answer_oldest(deliveries, taken); });
  }
  void settled(Or<bool> with) {
    REQUIRE(store.settlings.size() == 1);
    life.on_loop([&] { answer_oldest(store.settlings, std::move(with)); });
  }
  bool looks_within(uint64_t ms) {
    life.pass(ms);
    return !store.sweeps.empty();
  }
};

TEST_CASE_FIXTURE(Sweeping, "if nothing happens the sweeper looks every quarter of a second") {
  for (int i = 0; i < 3; ++i) {
    found(PresenceStore::Swept{});
    CHECK_FALSE(looks_within(249));
    CHECK(looks_within(1));
  }
  CHECK(store.settlings.empty());
}

TEST_CASE("without a listener the sweeper looks once a second") {
  LoopThread life;
  FakePresence store;
  Sweeper sweeper(life.loop, store, {});
  life.on_loop([&] {
    sweeper.start();
    answer_oldest(store.sweeps, PresenceStore::Swept{});
  });
  life.pass(999);
  CHECK(store.sweeps.empty());
  life.pass(1);
  CHECK(store.sweeps.size() == 1);
  life.halt();
}

TEST_CASE_FIXTURE(Sweeping, "events are delivered in their order, and settled when all are taken") {
  found_events({"online 1795287654123 alice", "offline 1795287654999 bob+1@example.com"});
  REQUIRE(deliveries.size() == 2);
  CHECK(deliveries[0].text == R"(user.online {"user":"alice","time":1795287654123})");
  CHECK(deliveries[1].text == R"(user.offline {"user":"bob+1@example.com","time":1795287654999})");
  CHECK(sweeper.figures().waiting.value() == 2);
  take(true);
  life.pass(10'000);
  CHECK(store.settlings.empty());
  CHECK(store.sweeps.empty());
  take(true);
  REQUIRE(store.settlings.size() == 1);
  CHECK(store.settlings[0].events ==
        std::vector<std::string>{"online 1795287654123 alice",
                                 "offline 1795287654999 bob+1@example.com"});
  settled(true);
  CHECK(sweeper.figures().delivered.value() == 2);
  CHECK(looks_within(0));
}

TEST_CASE_FIXTURE(Sweeping, "an event that is not taken is not settled, nor are those after it") {
  found_events({"online 1 a", "online 2 b", "online 3 c"});
  take(true);
  take(false);
  take(true);
  REQUIRE(store.settlings.size() == 1);
  CHECK(store.settlings[0].events == std::vector<std::string>{"online 1 a"});
  settled(true);
  CHECK(sweeper.figures().delivered.value() == 1);
  CHECK_FALSE(looks_within(999));
  CHECK(looks_within(1));
}

TEST_CASE_FIXTURE(Sweeping, "if nothing was taken the sweeper tries again a second later") {
  found_events({"online 1 a"});
  take(false);
  CHECK(store.settlings.empty());
  CHECK_FALSE(looks_within(999));
  CHECK(looks_within(1));
}

TEST_CASE_FIXTURE(Sweeping, "an event that can't be settled is delivered again") {
  found_events({"online 1 a"});
  take(true);
  settled(away());
  CHECK(sweeper.figures().delivered.value() == 0);
  CHECK(looks_within(1'000));
}

TEST_CASE_FIXTURE(Sweeping, "an entry that is no event is not delivered, and is removed") {
  found_events({"", "online", "online x alice", "hello", "online 1 ", "online 1 a b", "gone 1 a",
                "online 2 alice"});
  REQUIRE(deliveries.size() == 1);
  take(true);
  REQUIRE(store.settlings.size() == 1);
  CHECK(store.settlings[0].events.size() == 8);
}

TEST_CASE_FIXTURE(Sweeping, "while many clients leave the sweeper does not pause") {
  found(PresenceStore::Swept{200, 0, {}});
  CHECK(sweeper.figures().gone.value() == 200);
  CHECK(looks_within(0));
}

TEST_CASE_FIXTURE(Sweeping, "while the store is away the sweeper looks once a second") {
  for (int i = 0; i < 3; ++i) {
    found(away());
    CHECK_FALSE(looks_within(999));
    CHECK(looks_within(1));
  }
}

}  // namespace
}  // namespace letterbox::test
