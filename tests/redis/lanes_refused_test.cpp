// SPDX-License-Identifier: MIT
//
// Lanes and addresses for which Redis has no connection, or which may not run their commands: every
// parked poll still hears of its messages.
#include <doctest/doctest.h>

#include <future>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mailbox/keys.h"
#include "tests/redis/lanes_house.h"
#include "waiting/lanes.h"

namespace letterbox::test {
namespace {

// What INFO says after these words, in turn.
int figure(House& house, const char* section, std::initializer_list<std::string_view> words) {
  const std::string text = house.pusher.ask({"INFO", section}).text;
  size_t at = 0;
  for (const auto word : words) {
    at = text.find(word, at);
    if (at == std::string::npos) return 0;
    at += word.size();
  }
  return std::stoi(text.substr(at));
}

// The address connects only after the house has been built.
void await_address(House& house) {
  REQUIRE(eventually([&] { return !house.connections("letterbox-address").empty(); }));
}

// From now on that many more connections may be made.
void let_in(House& house, int more) {
  const int most = figure(house, "clients", {"connected_clients:"}) + more;
  REQUIRE(house.pusher.ask({"CONFIG", "SET", "maxclients", std::to_string(most)}).ok());
}

TEST_CASE("if Redis has no connection for some lanes, the others hear for their mailboxes") {
  RedisServer server;
  House house(100, server);
  await_address(house);
  let_in(house, 8);
  std::vector<Cursor> after(200);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::shared_ptr<Guest>> guests;
    for (size_t i = 0; i < after.size(); ++i) {
      guests.push_back(house.polls.poll("user" + std::to_string(i), after[i]));
    }
    REQUIRE(eventually([&] { return house.polls.room.parked() == after.size(); }));
    // The first push to them is made while lanes are still being refused.
    if (round > 0) {
      REQUIRE(eventually([&] { return house.polls.lanes.size() <= 7; }));
      CHECK(house.polls.lanes.refusals() > 0);
      // Room is left for another program.
      RedisWorker other(server.login(), kClock);
      CHECK(other.comes_up());
    }
    for (size_t i = 0; i < after.size(); ++i) {
      after[i] = house.push("user" + std::to_string(i), std::to_string(i));
    }
    for (size_t i = 0; i < after.size(); ++i) {
      CHECK(House::cursor_of(guests[i]->answer()) == after[i]);
    }
  }
}

TEST_CASE("if Redis has no connection for any lane, mailboxes are looked at until it has") {
  RedisServer server;
  House house(8, server);
  await_address(house);
  let_in(house, 0);
  Cursor after;
  for (int i = 0; i < 3; ++i) {
    const auto guest = house.polls.poll("alice", after);
    REQUIRE(eventually([&] { return house.polls.room.parked() == 1; }));
    if (i == 1) {
      house.pusher.ask({"RPUSH", mailbox_key("alice"), "by hand"});
    } else {
      house.push("alice");
    }
    const std::string answer = guest->answer();
    CHECK(field(answer, "reason") == "messages");
    after = House::cursor_of(answer);
  }
  const auto guest = house.polls.poll("alice", after);
  const auto place = house.polls.lanes.watch("bob");
  CHECK_FALSE(house.polls.lanes.hears(place));
  let_in(house, 8);
  CHECK(eventually([&] { return house.polls.lanes.hears(place); }));
  CHECK(eventually([&] { return house.at_rest(1, 1); }));
  const Cursor pushed = house.push("alice");
  CHECK(House::cursor_of(guest->answer()) == pushed);
}

// Two lanes, the first of which has user0 to user3, and loses its connection for good.
struct TwoLanes {
  TwoLanes() {
    for (size_t i = 0; i < 8; ++i) {
      guests.push_back(house.polls.poll("user" + std::to_string(i), Cursor{}));
      REQUIRE(eventually([&] { return house.at_rest(i < 4 ? 1 : 2, i + 1); }));
      if (i == 3) first = house.connections("letterbox-lane").at(0);
    }
  }

  void lose_the_first() {
    let_in(house, -1);
    house.pusher.ask({"CLIENT", "KILL", "ID", first});
  }

  RedisServer server;
  House house{2, server};
  std::vector<std::shared_ptr<Guest>> guests;
  std::string first;
};

TEST_CASE_FIXTURE(
    TwoLanes,
    "if a lane has lost its connection and gets none, another one hears for its mailboxes") {
  std::vector<Bells::Place> places(8);
  for (size_t i = 0; i < places.size(); ++i) {
    places[i] = house.polls.lanes.watch("other" + std::to_string(i));
  }
  lose_the_first();
  REQUIRE(eventually([&] { return house.polls.lanes.size() == 1; }));
  for (const auto& place : places) {
    CHECK(eventually([&] { return house.polls.lanes.hears(place); }));
  }
  for (size_t i = 0; i < guests.size(); ++i) {
    house.pusher.ask({"RPUSH", mailbox_key("user" + std::to_string(i)), "by hand"});
    CHECK(field(guests[i]->answer(), "data") == "by hand");
  }
}

// (A program of a version without addresses pushes like that: it rings in the list.)
TEST_CASE_FIXTURE(TwoLanes,
                  "a ring that Redis had popped for a lane that gets no connection is found") {
  house.push("other");  // so that Redis knows the script
  RedisWorker& worker = *house.polls.workers.front();
  std::promise<void> go_on;
  worker.loop.post([&] { go_on.get_future().wait(); });
  lose_the_first();
  const Cursor pushed = house.push_untold("user0");
  go_on.set_value();
  CHECK(House::cursor_of(guests[0]->answer()) == pushed);
  REQUIRE(eventually([&] { return house.polls.lanes.size() == 1; }));
}

TEST_CASE("if Redis has no connection for the address, polls are looked at until it has") {
  RedisServer server;
  House house(2, server);
  const auto first = house.polls.poll("alice", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  let_in(house, -1);
  for (const auto& id : house.connections("letterbox-address")) {
    CHECK(house.pusher.ask({"CLIENT", "KILL", "ID", id}).ok());
  }
  REQUIRE(eventually([&] { return !house.polls.address->hears(); }));
  Cursor after = house.push("alice");
  CHECK(House::cursor_of(first->answer()) == after);
  for (int i = 0; i < 3; ++i) {
    const auto guest = house.polls.poll("alice", after);
    REQUIRE(eventually([&] { return house.polls.room.parked() == 1; }));
    after = house.push("alice");
    CHECK(House::cursor_of(guest->answer()) == after);
  }
  CHECK_FALSE(house.polls.address->hears());
  let_in(house, 8);
  CHECK(eventually([&] { return house.polls.address->hears(); }));
  // Rings from before are old by now.
  const auto guest = house.polls.poll("alice", after);
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  CHECK(guest->waits());
  const Cursor pushed = house.push("alice");
  CHECK(House::cursor_of(guest->answer()) == pushed);
}

TEST_CASE("lanes that may not be interrupted still take in mailboxes, and try seldom") {
  RedisServer server;
  House house(4, server);
  std::vector<std::shared_ptr<Guest>> guests;
  for (size_t i = 0; i < 16; ++i) {
    guests.push_back(house.polls.poll("early" + std::to_string(i), Cursor{}));
  }
  REQUIRE(eventually([&] { return house.at_rest(4, guests.size()); }));
  house.pusher.ask({"ACL", "SETUSER", "default", "-client|unblock"});
  // Each on another lane, while there are any.
  for (int i = 0; i < 6; ++i) {
    const std::string user = "user" + std::to_string(i);
    const auto guest = house.polls.poll(user, Cursor{});
    REQUIRE(eventually([&] { return house.polls.room.parked() == guests.size() + 1; }));
    if (i % 2 == 0) {
      house.push(user);
    } else {
      house.pusher.ask({"RPUSH", mailbox_key(user), "by hand"});
    }
    CHECK(field(guest->answer(), "reason") == "messages");
  }
  // Once a minute, over all lanes.
  const int refused = figure(house, "commandstats", {"cmdstat_client|unblock:", "rejected_calls="});
  CHECK(refused >= 1);
  CHECK(refused <= 2);
}

}  // namespace
}  // namespace letterbox::test
