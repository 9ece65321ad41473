// SPDX-License-Identifier: MIT
//
// A PollHouse on a Redis that holds nothing else, and a program that pushes.
#pragma once

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "mailbox/keys.h"
#include "tests/redis/poll_house.h"
#include "tests/redis/redis_server.h"
#include "tests/unit/fake_reply_to.h"

namespace letterbox::test {

inline const SystemClock kClock;

class House {
 public:
  explicit House(size_t lanes, RedisServer& server = RedisServer::shared())
      : House(lanes, server, server.login()) {}
  // The polls may reach Redis another way.
  House(size_t lanes, RedisServer& server, const RedisLogin& login)
      : pusher(server.login(), kClock), polls(emptied(login), lanes) {}

  Cursor push(const std::string& user, std::string_view data = "1") {
    const auto pushed = pusher.push(user, data);
    REQUIRE(pushed);
    return pushed->id;
  }
  // Stores a message without a ring, as if the ring had been lost. REQUIRES: there was a push, so
  // that Redis knows the script.
  Cursor push_untold(const std::string& user) {
    const std::string key = address_key("house", 0);
    const std::string_view to = user;
    REQUIRE(pusher.await<bool>([&](const auto& then) {
      pusher.redis.command({"MULTI"}, [](const Reply&) {});
      pusher.store.push_each({&to, 1}, make_element("mail", "1", 0, 0), {}, [](const auto&) {});
      pusher.store.pushes().flush();
      pusher.redis.command({"DEL", key}, [](const Reply&) {});
      pusher.redis.command({"EXEC"}, [then](const Reply& reply) { then(reply.ok()); });
    }));
    return pusher.view(user).value().newest;
  }
  // Whether exactly that many lanes, and the address, are blocked now, and that many polls parked.
  bool at_rest(size_t lanes, size_t waiting) {
    const size_t blocked = lanes + 1;
    return polls.room.size() == waiting && polls.room.parked() == waiting &&
           pusher.ask({"INFO", "clients"})
                   .text.find("blocked_clients:" + std::to_string(blocked)) != std::string::npos;
  }
  // The ids of the connections with that name.
  std::vector<std::string> connections(const std::string& name) {
    std::vector<std::string> ids;
    std::istringstream list(pusher.ask({"CLIENT", "LIST"}).text);
    for (std::string line; std::getline(list, line);) {
      if (line.find(" name=" + name + " ") == std::string::npos) continue;
      ids.push_back(line.substr(3, line.find(' ') - 3));
    }
    return ids;
  }
  static Cursor cursor_of(const std::string& answer) {
    return Cursor::parse(field(answer, "cursor")).value();
  }

  RedisWorker pusher;
  PollHouse polls;

 private:
  const RedisLogin& emptied(const RedisLogin& login) {
    REQUIRE(pusher.comes_up());
    pusher.ask({"FLUSHALL"});
    return login;
  }
};

}  // namespace letterbox::test
