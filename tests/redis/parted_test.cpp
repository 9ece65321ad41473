// SPDX-License-Identifier: MIT
//
// What a program has for each part of the data: lanes, and notices.
#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mailbox/keys.h"
#include "mailbox/parted_notices.h"
#include "mailbox/redis_access.h"
#include "tests/redis/lanes_house.h"
#include "waiting/parted_lanes.h"

namespace letterbox::test {
namespace {

TEST_CASE("each part has a lane, which hears the lists of its users alone") {
  constexpr size_t kParts = 4;
  RedisServer& server = RedisServer::shared();
  RedisWorker pusher(server.login(), kClock);
  REQUIRE(pusher.comes_up());
  pusher.ask({"FLUSHALL"});
  // (One lane in all, so one a part: there is no part without.)
  PollHouse polls(server.login(), 1, 2, "house", kParts);
  std::array<size_t, kParts> users{};
  std::vector<std::shared_ptr<Guest>> guests;
  std::vector<std::string> names;
  for (int i = 0; i < 40; ++i) {
    names.push_back("user" + std::to_string(i));
    ++users.at(part_of(names.back(), kParts));
    guests.push_back(polls.poll(names.back(), Cursor{}));
  }
  for (const size_t count : users) REQUIRE(count > 0);
  REQUIRE(eventually([&] { return polls.room.parked() == guests.size(); }));
  CHECK(polls.lanes.size() == kParts);
  CHECK(polls.lanes.refusals() == 0);
  for (const auto& name : names) REQUIRE(pusher.ask({"RPUSH", mailbox_key(name), name}).ok());
  for (size_t i = 0; i < guests.size(); ++i) {
    CHECK(field(guests[i]->answer(), "data") == names[i]);
  }
}

TEST_CASE("a part's lane is asked whether it hears a user, by the user's place alone") {
  RedisServer& server = RedisServer::shared();
  PollHouse polls(server.login(), 8, 1, "house", 3);
  const auto place = polls.lanes.watch("alice");
  CHECK(eventually([&] { return polls.lanes.hears(place) && polls.lanes.size() == 1; }));
  polls.lanes.unwatch(place, "alice");
}

// --- notices -----------------------------------------------------------------------------------

// Two parts, each in a Redis of its own.
struct TwoParts {
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex);
    return happened;
  }
  void happens(std::string what) {
    const std::lock_guard lock(mutex);
    happened.push_back(std::move(what));
  }
  // Whether exactly that has happened in the end; it is then forgotten.
  [[nodiscard]] bool hears(const std::vector<std::string>& what) {
    const bool heard = eventually([&] { return all() == what; });
    if (!heard) MESSAGE("what happened: ", doctest::toString(all()));
    const std::lock_guard lock(mutex);
    happened.clear();
    return heard;
  }
  void kick(RedisWorker& admin, const std::string& user) {
    RedisAccess access(admin.redis, kClock, 1000);
    REQUIRE(admin.await<Or<bool>>([&](const auto& then) { access.kick(user, "", 1000, then); }));
  }

  std::mutex mutex;
  std::vector<std::string> happened;
};

TEST_CASE_FIXTURE(TwoParts, "who hears the notices of all parts counts as deaf while one is away") {
  RedisServer first;
  RedisServer second;
  RedisWorker admin_of_first(first.login(), kClock);
  RedisWorker admin_of_second(second.login(), kClock);
  RedisWorker worker(first.login(), kClock);
  const auto login = second.login();
  RedisConnection other(worker.loop, login, worker.log, "other", {});
  for (auto* each : {&admin_of_first, &admin_of_second, &worker}) REQUIRE(each->comes_up());
  const std::vector<Redis*> parts{&worker.redis, &other};
  PartedNotices notices(worker.loop, parts,
                        {.heard = [this](std::string_view user) { happens(std::string(user)); },
                         .listening = [this] { happens("[listening]"); },
                         .deaf = [this] { happens("[deaf]"); }});
  worker.on_loop([&] {
    notices.start();
    return true;
  });
  kick(admin_of_first, "early");  // may be heard already
  for (const auto& what : all()) CHECK(what == "early");
  worker.on_loop([&] {
    other.start();
    return true;
  });
  REQUIRE(eventually([&] { return !all().empty() && all().back() == "[listening]"; }));
  {
    const std::lock_guard lock(mutex);
    happened.clear();
  }
  kick(admin_of_first, "alice");
  CHECK(hears({"alice"}));
  kick(admin_of_second, "bob");
  CHECK(hears({"bob"}));

  second.stop();
  CHECK(hears({"[deaf]"}));
  kick(admin_of_first, "carol");
  CHECK(hears({"carol"}));
  first.stop();
  second.start();
  first.start();
  CHECK(hears({"[listening]"}));
  worker.halt();
}

}  // namespace
}  // namespace letterbox::test
