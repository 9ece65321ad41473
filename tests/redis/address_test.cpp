// SPDX-License-Identifier: MIT
//
// Programs that are rung at their addresses, on a real Redis: whatever happens to an address, each
// poll gets its messages, each once and in order.
#include "waiting/address.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mailbox/keys.h"
#include "tests/redis/lanes_house.h"
#include "tests/redis/relay.h"

namespace letterbox::test {
namespace {

constexpr std::string_view kAddress = "letterbox-address";

// Makes the worker take Redis for a 6.2.
void forbid_taking_many(const RedisServer& server) {
  RedisWorker admin(server.login(), kClock);
  REQUIRE(admin.comes_up());
  REQUIRE(admin.ask({"ACL", "SETUSER", "default", "-blmpop"}).ok());
}

// Blocks a loop's thread until it is released.
class Standstill {
 public:
  explicit Standstill(Loop& loop) {
    loop.post([go_on = go_on_.get_future().share(), this] {
      reached_.set_value();
      go_on.wait();
    });
    reached_.get_future().wait();
  }
  ~Standstill() { end(); }
  Standstill(const Standstill&) = delete;
  Standstill& operator=(const Standstill&) = delete;

  void end() {
    if (!std::exchange(ended_, true)) go_on_.set_value();
  }

 private:
  std::promise<void> reached_;
  std::promise<void> go_on_;
  bool ended_ = false;
};

TEST_CASE("rings that pile up while their program is busy are all heard") {
  RedisServer server;
  bool many = true;
  SUBCASE("a hundred at a time") {}
  SUBCASE("one, and then the others") {
    many = false;
    forbid_taking_many(server);
  }
  House house(8, server);
  std::vector<std::shared_ptr<Guest>> guests(250);
  const auto name = [](size_t i) { return "user" + std::to_string(i); };
  for (size_t i = 0; i < guests.size(); ++i) guests[i] = house.polls.poll(name(i), Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(8, guests.size()); }));
  Standstill busy(house.polls.workers.front()->loop);
  std::vector<Cursor> pushed;
  const std::string longer_than_a_ring = '"' + std::string(20'000, 'x') + '"';
  for (size_t i = 0; i < guests.size(); ++i) {
    pushed.push_back(house.push(name(i), i % 50 == 7 ? longer_than_a_ring : std::to_string(i)));
  }
  const std::string key = address_key("house", 0);
  CHECK(house.pusher.ask({"LLEN", key}).integer > 200);
  busy.end();
  for (size_t i = 0; i < guests.size(); ++i) {
    const std::string answer = guests[i]->answer();
    CHECK(House::cursor_of(answer) == pushed[i]);
    CHECK(field(answer, "count") == "1");
    if (i % 50 != 7) CHECK(field(answer, "data") == std::to_string(i));
  }
  CHECK(eventually([&] { return house.pusher.ask({"EXISTS", key}).integer == 0; }));
  const std::string used = house.pusher.ask({"INFO", "commandstats"}).text;
  CHECK((used.find("cmdstat_lpop:") == std::string::npos) == many);
}

// --- two programs ------------------------------------------------------------------------------

// One client of a user at one of the programs, which polls until it has everything.
struct Reader {
  PollHouse& polls;
  std::string user;
  std::string client;
  Cursor after = {};
  uint64_t count = 0;
  std::shared_ptr<Guest> guest = {};

  void poll() { guest = polls.poll(user, after, client); }
  void hear() {
    const std::string answer = guest->answer();
    CHECK(field(answer, "missed") == "0");
    CHECK(field(answer, "reset") == "false");
    const Cursor cursor = House::cursor_of(answer);
    const uint64_t given = std::stoull(field(answer, "count"));
    CHECK(cursor.seq == after.seq + given);
    count += given;
    after = cursor;
    poll();
  }
};

// Pushes `each` messages to each user, by the store of one of the programs or of another program.
void push_all(RedisWorker& pusher, const std::vector<std::string>& users, uint64_t each,
              std::atomic<uint64_t>& taken) {
  pusher.loop.post([&pusher, &users, each, &taken] {
    for (uint64_t n = 0; n < each; ++n) {
      for (const auto& user : users) {
        pusher.store.push(user, make_element("mail", "1", n, 0),
                          [&taken](const Or<Pushed>& pushed) { taken += pushed ? 1 : 0; });
      }
    }
  });
}

TEST_CASE("two programs that push and hold polls of the same users deliver everything, once") {
  RedisServer server;
  RedisLogin second = server.login();
  SUBCASE("both take many rings at a time") {}
  SUBCASE("one of them may not, as on an older Redis") {
    RedisWorker admin(server.login(), kClock);
    REQUIRE(admin.comes_up());
    const Value made =
        admin.ask({"ACL", "SETUSER", "older", "on", ">secret", "~*", "&*", "+@all", "-blmpop"});
    REQUIRE(made.ok());
    second.user = "older";
    second.password = "secret";
  }
  House house(4, server);
  PollHouse other(second, 4, 2, "another-house");
  const std::vector<std::string> users{"alice", "bob", "carol", "dave", "erin"};
  std::vector<Reader> readers;
  for (const auto& user : users) {
    readers.push_back({house.polls, user, "tab"});
    readers.push_back({other, user, "phone"});
    readers.push_back({other, user, "tablet"});
  }
  // No message is kept for a client that is not known yet: so the clients come first.
  for (auto& reader : readers) reader.poll();
  REQUIRE(eventually(
      [&] { return house.polls.room.parked() + other.room.parked() == readers.size(); }));
  constexpr uint64_t kEach = 60;
  const std::vector<RedisWorker*> pushers{&house.pusher, house.polls.workers[1].get(),
                                          other.workers[0].get(), other.workers[1].get()};
  std::atomic<uint64_t> taken{0};
  for (RedisWorker* pusher : pushers) push_all(*pusher, users, kEach, taken);
  const uint64_t all = kEach * pushers.size();
  for (auto& reader : readers) {
    while (reader.count < all) reader.hear();
    CHECK(reader.count == all);
  }
  CHECK(taken == all * users.size());
}

// (Does what an old program does: it is named in `base` without an address, and takes rings out of
// the user's own list. It asks first, so Redis serves it first.)
TEST_CASE("a program of a version without addresses and a newer one both hear of a push") {
  RedisServer server;
  House house(4, server);
  RedisWorker older(server.login(), kClock);
  REQUIRE(older.comes_up());
  const std::string key = mailbox_key("alice");
  std::promise<std::string> heard;
  older.loop.post([&] {
    older.redis.command(
        {"BLPOP", key, "20"},
        [&](const Reply& reply) { heard.set_value(std::string(reply[1].text())); }, 20'000);
  });
  // (The old program counts as there already, in addition to the address.)
  REQUIRE(eventually([&] { return house.at_rest(1, 0); }));
  const auto guest = house.polls.poll("alice", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(2, 1); }));
  const MailboxKeys keys("alice");
  const std::string base = house.pusher.ask({"GET", keys.base}).text;
  const size_t watcher = base.find(" @house");
  REQUIRE(watcher != std::string::npos);
  const std::string noted = " 0123abcd " + std::to_string(kClock.wall_ms() + 30'000);
  std::string with_older = base;
  SUBCASE("if the older one is named last") { with_older += noted; }
  SUBCASE("if the older one is named first") { with_older.insert(watcher, noted); }
  house.pusher.ask({"SET", keys.base, with_older});
  const Cursor pushed = house.push("alice");
  CHECK(House::cursor_of(guest->answer()) == pushed);
  auto ring = heard.get_future();
  REQUIRE(ring.wait_for(kDeadline) == std::future_status::ready);
  const std::string element = ring.get();
  CHECK(parse_ring(element).id == pushed);
}

// --- what an address has lost ------------------------------------------------------------------

TEST_CASE("a message that is pushed while an address has lost its connection is delivered") {
  House house(2);
  Cursor after;
  for (int i = 0; i < 30; ++i) {
    const auto guest = house.polls.poll("alice", after);
    REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
    for (const auto& id : house.connections(std::string(kAddress))) {
      CHECK(house.pusher.ask({"CLIENT", "KILL", "ID", id}).ok());
    }
    const Cursor pushed = house.push("alice");
    const std::string answer = guest->answer();
    CHECK(field(answer, "count") == "1");
    after = House::cursor_of(answer);
    CHECK(after == pushed);
  }
}

// A house whose way to Redis can be lost on the program's side alone.
struct HalfLost {
  explicit HalfLost(size_t lanes) : house(lanes, server, relay.login()) {}

  // Loses everything. Returns once Redis has one connection of that name again, another one.
  void lose(const std::string& name) {
    const auto lost = house.connections(name);
    REQUIRE(lost.size() == 1);
    relay.lose_all();
    CHECK(eventually([&] {
      const auto now = house.connections(name);
      return now.size() == 1 && now != lost;
    }));
  }

  const int port = RedisServer::spare_port();
  RedisServer server{"127.0.0.1", port};
  Relay relay{port};
  House house;
};

TEST_CASE("a ring at an address is heard though Redis takes the lost connection for alive") {
  HalfLost half(2);
  const auto guest = half.house.polls.poll("alice", Cursor{});
  REQUIRE(eventually([&] { return half.house.at_rest(1, 1); }));
  half.lose(std::string(kAddress));
  const Cursor pushed = half.house.push("alice");
  CHECK(House::cursor_of(guest->answer()) == pushed);
}

TEST_CASE("an element in a list is heard though Redis takes the lane's lost connection for alive") {
  HalfLost half(1);
  const auto guest = half.house.polls.poll("alice", Cursor{});
  REQUIRE(eventually([&] { return half.house.at_rest(1, 1); }));
  half.lose("letterbox-lane");
  half.house.pusher.ask({"RPUSH", mailbox_key("alice"), "by hand"});
  CHECK(field(guest->answer(), "count") == "1");
}

TEST_CASE("an address that has all polls looked at finds a message that rang nowhere") {
  House house(4);
  std::string element;
  SUBCASE("after too many rings") { element = "1795287660456 *\n"; }
  SUBCASE("after an element that can't be parsed") { element = "by hand"; }
  std::vector<std::shared_ptr<Guest>> guests;
  for (const auto* user : {"alice", "bob", "carol"}) {
    guests.push_back(house.polls.poll(user, Cursor{}));
  }
  REQUIRE(eventually([&] { return house.at_rest(1, guests.size()); }));
  house.push("dave");  // so that Redis knows the script
  const Cursor first = house.push_untold("alice");
  const Cursor second = house.push_untold("bob");
  CHECK(guests[0]->waits());
  CHECK(guests[1]->waits());
  CHECK(house.pusher.ask({"RPUSH", address_key("house", 0), element}).ok());
  CHECK(House::cursor_of(guests[0]->answer()) == first);
  CHECK(House::cursor_of(guests[1]->answer()) == second);
  CHECK(guests[2]->waits());
}

TEST_CASE("an address whose key held a foreign value is listened to again") {
  RedisServer server;
  House house(2, server);
  const std::string key = address_key("house", 0);
  const auto guest = house.polls.poll("alice", Cursor{});
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  house.pusher.ask({"SET", key, "by hand"});
  // A blocked BLPOP does not notice that. The next one does.
  for (const auto& id : house.connections(std::string(kAddress))) {
    CHECK(house.pusher.ask({"CLIENT", "KILL", "ID", id}).ok());
  }
  REQUIRE(eventually([&] { return !house.polls.address->hears(); }));
  SUBCASE("and meanwhile polls are looked at") {
    const auto bob = house.polls.poll("bob", Cursor{});
    REQUIRE(eventually([&] { return house.polls.room.parked() == 2; }));
    const Cursor untold = house.push("bob");
    CHECK(House::cursor_of(bob->answer()) == untold);
  }
  SUBCASE("once it is removed") { house.pusher.ask({"DEL", key}); }
  SUBCASE("once a push removes it") {}
  const Cursor pushed = house.push("alice");
  CHECK(House::cursor_of(guest->answer()) == pushed);
  CHECK(eventually([&] { return house.polls.address->hears(); }));
  const auto next = house.polls.poll("alice", pushed);
  REQUIRE(eventually([&] { return house.at_rest(1, 1); }));
  const Cursor second = house.push("alice");
  CHECK(House::cursor_of(next->answer()) == second);
}

}  // namespace
}  // namespace letterbox::test
