// SPDX-License-Identifier: MIT
//
// The waiting room on its lanes and a real Redis: every parked poll is woken, whatever happens to
// Redis.
#include "waiting/lanes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mailbox/keys.h"
#include "tests/redis/lanes_house.h"

namespace letterbox::test {
namespace {

// Longer than a lane waits between two interruptions; runs on the thread that would interrupt.
void let_pass(RedisWorker& worker) {
  worker.await<bool>(
      [&](const auto& then) { worker.loop.at(worker.loop.now_ms() + 20, [then] { then(true); }); });
}

// --- waking ------------------------------------------------------------------------------------

TEST_CASE("a push wakes a parked poll with its message, again and again") {
  House house(8);
  Cursor after;
  for (int i = 0; i < 100; ++i) {
    const auto guest = house.polls.poll("alice", after);
    if (i % 3 == 0) REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
    const Cursor pushed = house.push("alice", std::to_string(i));
    const std::string answer = guest->answer();
    CHECK(field(answer, "reason") == "messages");
    CHECK(field(answer, "count") == "1");
    CHECK(field(answer, "data") == std::to_string(i));
    CHECK(field(answer, "missed") == "0");
    after = House::cursor_of(answer);
    CHECK(after == pushed);
  }
}

TEST_CASE("a push says that a client is waiting, and after it has left that none is") {
  House house(8);
  const auto guest = house.polls.poll("alice", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  const auto first = house.pusher.push("alice");
  CHECK(first.value().waiting);
  guest->answer();
  const auto next = house.polls.poll("alice", first->id);
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  house.polls.workers[1]->on_loop([&] {
    next->leave();
    return true;
  });
  CHECK(eventually([&] { return house.polls.room.size() == 0; }));
  CHECK(eventually([&] { return !house.pusher.push("alice").value().waiting; }));
}

TEST_CASE("clients with and without a cursor are all woken by one push") {
  House house(8);
  std::vector<std::shared_ptr<Guest>> guests;
  for (int i = 0; i < 10; ++i) {
    guests.push_back(house.polls.poll("alice", Cursor{}, "tab" + std::to_string(i)));
    guests.push_back(house.polls.poll("alice", {}, "script" + std::to_string(i)));
  }
  REQUIRE(eventually([&] { return house.at_rest(1, 20); }));
  const Cursor pushed = house.push("alice");
  for (const auto& guest : guests) CHECK(House::cursor_of(guest->answer()) == pushed);
}

TEST_CASE("five hundred users on eight lanes are all woken, and each by its own message") {
  House house(8);
  std::vector<Cursor> after(500);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::shared_ptr<Guest>> guests;
    for (size_t i = 0; i < after.size(); ++i) {
      guests.push_back(house.polls.poll("user" + std::to_string(i), after[i]));
    }
    // Once undisturbed, then while they still come in.
    if (round != 1) REQUIRE(eventually([&] { return house.at_rest(8, after.size()); }));
    for (size_t i = 0; i < after.size(); ++i) {
      house.push("user" + std::to_string(i), std::to_string(i));
    }
    for (size_t i = 0; i < after.size(); ++i) {
      const std::string answer = guests[i]->answer();
      CHECK(field(answer, "data") == std::to_string(i));
      after[i] = House::cursor_of(answer);
    }
  }
  CHECK(house.polls.lanes.size() == 8);
}

TEST_CASE("a lane that is blocked takes in another mailbox") {
  House house(1);
  std::vector<std::shared_ptr<Guest>> guests;
  for (int i = 0; i < 60; ++i) {
    const std::string user = "user" + std::to_string(i);
    guests.push_back(house.polls.poll(user, Cursor{}));
    if (i % 2 == 0) REQUIRE(eventually([&] { return house.at_rest(1, guests.size()); }));
    if (i % 3 == 0) {
      const Cursor pushed = house.push(user);
      CHECK(House::cursor_of(guests.back()->answer()) == pushed);
      guests.pop_back();
    }
  }
  CHECK(house.polls.lanes.size() == 1);
}

TEST_CASE("a lane that has taken in a mailbox is interrupted no more") {
  House house(1);
  const auto interrupts = [&] {
    const std::string text = house.pusher.ask({"INFO", "commandstats"}).text;
    const size_t at = text.find("cmdstat_client|unblock:");
    return at == std::string::npos ? "" : text.substr(at, text.find(',', at) - at);
  };
  std::vector<std::shared_ptr<Guest>> guests(10);
  for (size_t i = 0; i < guests.size(); ++i) {
    guests[i] = house.polls.poll("user" + std::to_string(i), Cursor{});
  }
  REQUIRE(eventually([&] { return house.at_rest(1, guests.size()); }));
  CHECK(eventually([&] {
    const std::string before = interrupts();
    for (auto& worker : house.polls.workers) let_pass(*worker);
    return interrupts() == before;
  }));
}

TEST_CASE("a message that was pushed before its mailbox was listened to is found") {
  House house(1);
  const auto other = house.polls.poll("other", Cursor{});
  for (int i = 0; i < 30; ++i) {
    const std::string user = "user" + std::to_string(i);
    const Cursor first = house.push(user);
    const auto late = house.polls.poll(user, Cursor{});
    CHECK(House::cursor_of(late->answer()) == first);
    // The client is up to date, so the store is not asked again.
    const auto guest = house.polls.poll(user, first);
    const Cursor second = house.push(user);
    CHECK(House::cursor_of(guest->answer()) == second);
  }
  CHECK(other->waits());
}

TEST_CASE("an element that is pushed by hand wakes a parked poll") {
  House house(8);
  Cursor after;
  for (const auto* text : {"by hand", "and again"}) {
    const auto guest = house.polls.poll("alice", after);
    REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
    house.pusher.ask({"RPUSH", mailbox_key("alice"), text});
    const std::string answer = guest->answer();
    CHECK(field(answer, "data") == text);
    CHECK(field(answer, "type") == "message");
    after = House::cursor_of(answer);
  }
}

TEST_CASE("an element that was pushed by hand while no client waited is in the next answer") {
  House house(8);
  house.pusher.ask({"RPUSH", mailbox_key("alice"), "one", "two", "three"});
  Cursor after;
  std::string texts;
  while (after.seq < 3) {
    const std::string answer = house.polls.poll("alice", after)->answer();
    CHECK(field(answer, "missed") == "0");
    texts += answer;
    after = House::cursor_of(answer);
  }
  CHECK(texts.find("\"one\"") < texts.find("\"two\""));
  CHECK(texts.find("\"two\"") < texts.find("\"three\""));
  CHECK(texts.find("\"three\"") != std::string::npos);
}

TEST_CASE("two programs push to twenty users, and no message is lost, doubled or out of order") {
  House house(4);
  RedisWorker second(RedisServer::shared().login(), kClock);
  REQUIRE(second.comes_up());
  constexpr uint64_t kEach = 100;  // from each pusher to each user
  struct Reader {
    std::string user;
    std::string client;
    Cursor after = {};
    uint64_t count = 0;
    std::shared_ptr<Guest> guest = {};
  };
  std::vector<Reader> readers;
  for (int i = 0; i < 20; ++i) {
    for (const char* client : {"tab", "phone"}) {
      readers.push_back({"user" + std::to_string(i), client});
    }
  }
  // No message is kept for a client that is not known yet: so the clients come first.
  for (auto& reader : readers) {
    reader.guest = house.polls.poll(reader.user, Cursor{}, reader.client);
  }
  REQUIRE(eventually([&] { return house.polls.room.parked() == readers.size(); }));
  std::atomic<size_t> refused{0};
  for (RedisWorker* pusher : {&house.pusher, &second}) {
    pusher->loop.post([pusher, &refused] {
      for (uint64_t n = 0; n < kEach; ++n) {
        for (int i = 0; i < 20; ++i) {
          pusher->store.push("user" + std::to_string(i), make_element("mail", "1", n, 0),
                             [&refused](const Or<Pushed>& pushed) { refused += pushed ? 0 : 1; });
        }
      }
    });
  }
  bool all = false;
  while (!all) {
    all = true;
    for (auto& reader : readers) {
      if (reader.count == 2 * kEach) continue;
      all = false;
      const std::string answer = reader.guest->answer();
      CHECK(field(answer, "missed") == "0");
      const Cursor cursor = House::cursor_of(answer);
      const uint64_t count = std::stoull(field(answer, "count"));
      CHECK(cursor.seq == reader.after.seq + count);
      reader.count += count;
      reader.after = cursor;
      reader.guest = house.polls.poll(reader.user, cursor, reader.client);
    }
  }
  CHECK(refused == 0);
  for (const auto& reader : readers) CHECK(reader.count == 2 * kEach);
}

TEST_CASE("a list that is never empty does not keep its lane from the others") {
  House house(1);
  const auto busy = house.polls.poll("busy", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  const auto quiet = house.polls.poll("quiet", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(1, 2); }));
  const std::string key = mailbox_key("busy");
  const std::vector<std::string> bells(20'000, "\x01*5");
  std::vector<std::string_view> words{"RPUSH", key};
  words.insert(words.end(), bells.begin(), bells.end());
  house.pusher.ask(words);
  // By hand: a push of Letterbox would be told at the address.
  house.pusher.ask({"RPUSH", mailbox_key("quiet"), "text"});
  CHECK(field(quiet->answer(), "count") == "1");
  CHECK(house.pusher.ask({"LLEN", key}).integer > 0);
  CHECK(busy->waits());
}

// --- leaving -----------------------------------------------------------------------------------

TEST_CASE("a message that comes after a client has left waits for it, and an idle lane closes") {
  House house(8);
  const auto guest = house.polls.poll("alice", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  house.polls.workers[0]->on_loop([&] {
    guest->leave();
    return true;
  });
  house.push("alice");
  house.pusher.ask({"RPUSH", mailbox_key("alice"), "by hand"});
  CHECK(eventually([&] { return house.at_rest(0, 0); }));
  CHECK(eventually([&] { return house.polls.lanes.size() == 0; }));
  // The client's next poll finds it.
  CHECK(field(house.polls.poll("alice", Cursor{})->answer(), "reason") == "messages");
}

TEST_CASE("two programs that watch one mailbox are both woken, push after push") {
  House house(8);
  PollHouse other(RedisServer::shared().login(), 8, 2, "another-house");
  Cursor here;
  Cursor there;
  for (int i = 0; i < 300; ++i) {
    CAPTURE(i);
    const auto tab = house.polls.poll("alice", here, "tab");
    const auto phone = other.poll("alice", there, "phone");
    if (i % 2 == 0) {
      REQUIRE(eventually([&] { return house.polls.room.size() + other.room.size() == 2; }));
    }
    const Cursor pushed = house.push("alice");
    here = House::cursor_of(tab->answer());
    there = House::cursor_of(phone->answer());
    CHECK(here == pushed);
    CHECK(there == pushed);
  }
}

// --- Redis has trouble -------------------------------------------------------------------------

TEST_CASE("parked polls outlive a restart of Redis, and a push after it wakes them") {
  RedisServer server(RedisServer::Keeps::everything);
  House house(4, server);
  std::vector<Cursor> after;
  after.reserve(40);
  for (int i = 0; i < 40; ++i) after.push_back(house.push("user" + std::to_string(i)));
  for (int restart = 0; restart < 2; ++restart) {
    REQUIRE(house.polls.comes_up());
    std::vector<std::shared_ptr<Guest>> guests;
    for (size_t i = 0; i < after.size(); ++i) {
      guests.push_back(house.polls.poll("user" + std::to_string(i), after[i]));
    }
    REQUIRE(eventually([&] { return house.at_rest(4, after.size()); }));
    server.stop();
    REQUIRE(eventually([&] { return !house.pusher.is_up(); }));
    server.start();
    REQUIRE(house.pusher.comes_up());
    // Some of the lanes are not yet back at this push.
    for (size_t i = 0; i < after.size(); ++i) {
      const Cursor pushed = house.push("user" + std::to_string(i));
      CHECK(pushed == Cursor{after[i].epoch, after[i].seq + 1});
      after[i] = pushed;
    }
    for (size_t i = 0; i < after.size(); ++i) {
      const std::string answer = guests[i]->answer();
      CHECK(House::cursor_of(answer) == after[i]);
      CHECK(field(answer, "reset") == "false");
      CHECK(field(answer, "count") == "1");
    }
  }
}

TEST_CASE("if Redis came back empty, the next push is answered as a reset") {
  RedisServer server;
  House house(4, server);
  const auto guest = house.polls.poll("alice", house.push("alice"));
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  server.stop();
  server.start();
  REQUIRE(eventually([&] { return bool(house.pusher.push("alice", "\"new\"")); }));
  const std::string answer = guest->answer();
  CHECK(field(answer, "reset") == "true");
  CHECK(field(answer, "data") == "new");
}

TEST_CASE("messages that are pushed while the lanes have lost their connections are delivered") {
  House house(4);
  Cursor after;
  for (int i = 0; i < 20; ++i) {
    const auto guest = house.polls.poll("alice", after);
    REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
    for (const std::string name : {"letterbox-lane", "test"}) {
      // All except the one that asks.
      const std::string own = std::to_string(house.pusher.ask({"CLIENT", "ID"}).integer);
      for (const auto& id : house.connections(name)) {
        if (id != own) house.pusher.ask({"CLIENT", "KILL", "ID", id});
      }
      if (i % 2 == 0) break;  // only the lanes
    }
    const Cursor pushed = house.push("alice");
    after = House::cursor_of(guest->answer());
    CHECK(after == pushed);
    REQUIRE(eventually([&] {
      return std::all_of(house.polls.workers.begin(), house.polls.workers.end(),
                         [](const auto& worker) { return worker->is_up(); });
    }));
  }
}

TEST_CASE("a ring that Redis popped for an address whose connection died unread is found") {
  House house(1);
  PollHouse polls(RedisServer::shared().login(), 1, 1, "alone");
  RedisWorker& worker = *polls.workers.front();
  const auto guest = polls.poll("alice", Cursor{});
  const auto addresses = [&] { return house.connections("letterbox-address"); };
  REQUIRE(eventually([&] { return polls.room.parked() == 1 && addresses().size() == 2; }));
  // While the thread of the address is blocked, it hears of nothing that is done here.
  std::promise<void> go_on;
  worker.loop.post([&] { go_on.get_future().wait(); });
  for (const auto& id : addresses()) {
    CHECK(house.pusher.ask({"CLIENT", "KILL", "ID", id}).ok());
  }
  const Cursor pushed = house.push("alice");
  // Redis does this for a reader whose end it has not yet noticed.
  CHECK(house.pusher.ask({"LPOP", address_key("alone", 0)}).text.find(pushed.text()) !=
        std::string::npos);
  go_on.set_value();
  CHECK(House::cursor_of(guest->answer()) == pushed);
}

TEST_CASE("a Redis that stops and goes on wakes every parked poll") {
  RedisServer server;
  House house(4, server);
  const auto guest = house.polls.poll("alice", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  server.freeze();
  const auto newcomer = house.polls.poll("bob", Cursor{});
  CHECK(guest->waits());
  server.thaw();
  house.push("alice");
  house.push("bob");
  CHECK(field(guest->answer(), "count") == "1");
  CHECK(field(newcomer->answer(), "count") == "1");
}

TEST_CASE("a Redis that stops for longer than patience wakes every parked poll afterwards") {
  RedisServer server;
  PollHouse house(server.impatient_login(), 4);
  RedisWorker pusher(server.login(), kClock);
  REQUIRE(pusher.comes_up());
  const Cursor first = pusher.push("alice").value().id;
  const auto guest = house.poll("alice", first);
  REQUIRE(eventually([&] { return house.lanes.size() == 1 && house.room.size() == 1; }));
  server.freeze();
  const auto refused = house.poll("bob", Cursor{});
  CHECK(refused->answer() == "store_unavailable");
  server.thaw();
  const Cursor pushed = pusher.push("alice").value().id;
  CHECK(House::cursor_of(guest->answer()) == pushed);
}

TEST_CASE("a lane that takes in mailboxes while Redis has paused writes does not crash Redis") {
  RedisServer server;
  House house(1, server);
  const auto before = house.polls.poll("alice", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  house.pusher.ask({"CLIENT", "PAUSE", "60000", "WRITE"});
  for (int i = 0; i < 10; ++i) {
    house.polls.lanes.watch("user" + std::to_string(i));
    for (auto& worker : house.polls.workers) let_pass(*worker);
    REQUIRE(house.pusher.ask({"PING"}).ok());
  }
  house.pusher.ask({"CLIENT", "UNPAUSE"});
  const auto after = house.polls.poll("bob", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(1, 2); }));
  house.push("alice");
  house.push("bob");
  CHECK(field(before->answer(), "count") == "1");
  CHECK(field(after->answer(), "count") == "1");
}

TEST_CASE("a list whose key holds a foreign value does not make its lane deaf for the others") {
  House house(1);
  const auto alice = house.polls.poll("alice", Cursor{});
  const auto mallory = house.polls.poll("mallory", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(1, 2); }));
  house.pusher.ask({"SET", mailbox_key("mallory"), "no list"});
  house.push("alice");  // wakes the lane, which asks again
  const Cursor first = House::cursor_of(alice->answer());
  const auto again = house.polls.poll("alice", first);
  SUBCASE("while it does") {}
  SUBCASE("once it is removed") { house.pusher.ask({"DEL", mailbox_key("mallory")}); }
  const Cursor pushed = house.push("alice");
  CHECK(House::cursor_of(again->answer()) == pushed);
}

TEST_CASE("a lane that was refused once listens again") {
  RedisServer server;
  House house(1, server);
  const auto first = house.polls.poll("alice", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  house.pusher.ask({"ACL", "SETUSER", "default", "-blpop"});
  const auto by_hand = [&] { house.pusher.ask({"RPUSH", mailbox_key("alice"), "by hand"}); };
  by_hand();
  const std::string answer = first->answer();
  const auto second = house.polls.poll("alice", House::cursor_of(answer));
  REQUIRE(eventually([&] { return house.at_rest(0, 1); }));
  house.pusher.ask({"ACL", "SETUSER", "default", "+@all"});
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  by_hand();
  CHECK(field(second->answer(), "data") == "by hand");
}

TEST_CASE("a lane that found Redis busy with a script listens again") {
  RedisServer server;
  House house(1, server);
  RedisWorker other(server.login(), kClock);
  REQUIRE(other.comes_up());
  house.pusher.ask({"CONFIG", "SET", "busy-reply-threshold", "1"});
  const auto first = house.polls.poll("alice", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  // The lane is woken, and asks again while the script runs.
  house.pusher.loop.post([&] {
    house.pusher.redis.command({"RPUSH", mailbox_key("alice"), "by hand"}, [](const Reply&) {});
    house.pusher.redis.command({"EVAL", "while true do end", "0"}, [](const Reply&) {});
  });
  REQUIRE(eventually([&] { return other.ask({"PING"}).error.starts_with("BUSY"); }));
  CHECK(first->waits());
  REQUIRE(eventually([&] { return other.ask({"SCRIPT", "KILL"}).ok(); }));
  const Cursor woken = House::cursor_of(first->answer());
  const auto second = house.polls.poll("alice", woken);
  const Cursor pushed = house.push("alice");
  CHECK(House::cursor_of(second->answer()) == pushed);
}

}  // namespace
}  // namespace letterbox::test
