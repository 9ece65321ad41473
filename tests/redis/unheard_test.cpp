// SPDX-License-Identifier: MIT
//
// What Redis notes for the webhook: which messages are due, for which program, and which of them no
// client has acknowledged.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "mailbox/keys.h"
#include "mailbox/redis_unheard.h"
#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

struct Hooked : Mailboxes {
  using Leased = RedisUnheard::Leased;

  Leased lease(size_t most = 100) {
    auto leased = worker.await<std::optional<Leased>>([&](const auto& then) {
      unheard.lease(most, [then](const Or<Leased>& found) {
        then(found ? std::optional(*found) : std::nullopt);
      });
    });
    REQUIRE(leased);
    return *std::move(leased);
  }
  // The message's element; "heard" if it is not to be posted; else the error.
  std::string look(const UnheardEntry& entry) {
    return worker.await<std::string>([&](const auto& then) {
      unheard.look(entry, [then](const Or<std::optional<std::string>>& found) {
        then(!found ? found.error().message : found->value_or("heard"));
      });
    });
  }
  // As push.lua notes it.
  void note(const Cursor& id, std::string_view user = "alice", uint64_t due = 0) {
    worker.ask(
        {"ZADD", shared_keys(0).unheard, std::to_string(due), std::string(user) + " " + id.text()});
  }
  bool is_unheard(const Cursor& id) {
    return look({"", "alice", id, 1}).find("\"data\"") != std::string::npos;
  }
  std::vector<std::string> entries() {
    return worker.ask({"ZRANGE", shared_keys(0).unheard, "0", "-1"}).texts();
  }
  std::string due(std::string_view entry) {
    return worker.ask({"ZSCORE", shared_keys(0).unheard, entry}).text;
  }

  RedisUnheard unheard{worker.redis, clock};
};

TEST_CASE_FIXTURE(
    Hooked, "an entry that is due is given to one program, and is due again when its lease ends") {
  note({5, 1});
  note({5, 2}, "bob", in(1));
  const auto leased = lease();
  REQUIRE(leased.entries.size() == 1);
  CHECK(leased.waiting == 2);
  CHECK(leased.entries[0].user == "alice");
  CHECK(leased.entries[0].id == Cursor{5, 1});
  CHECK(leased.entries[0].tries == 1);
  CHECK(lease().entries.empty());
  CHECK(due("alice 5-1 1") == std::to_string(in(kUnheardLeaseMs)));
  clock.pass(kUnheardLeaseMs);
  const auto again = lease();
  REQUIRE(again.entries.size() == 2);
  CHECK(again.entries[0].text == "bob 5-2 1");
  CHECK(again.entries[1].text == "alice 5-1 2");
}

TEST_CASE_FIXTURE(Hooked,
                  "an entry that is put off comes later, and one that is removed does not") {
  note({5, 1});
  note({5, 2});
  const auto leased = lease();
  REQUIRE(leased.entries.size() == 2);
  worker.on_loop([&] {
    unheard.put_off(leased.entries[0], 1000);
    unheard.remove(leased.entries[1]);
    return true;
  });
  CHECK(entries() == std::vector<std::string>{"alice 5-1 1"});
  clock.pass(1000);
  CHECK(lease().entries.size() == 1);
  worker.on_loop([&] {
    unheard.put_off(leased.entries[1], 0);
    return true;
  });
  CHECK(entries() == std::vector<std::string>{"alice 5-1 2"});
}

TEST_CASE_FIXTURE(Hooked, "no more entries are given than were asked for") {
  for (uint64_t seq = 1; seq <= 5; ++seq) note({5, seq}, "alice", seq);
  CHECK(lease(2).entries.size() == 2);
  CHECK(lease(2).entries.size() == 2);
  CHECK(lease(2).entries.size() == 1);
}

TEST_CASE_FIXTURE(Hooked, "what is no entry is removed") {
  for (const auto* text :
       {"", "alice", "alice 5", "alice 5-1 x", "alice 5-1 22", " 5-1", "a{b 5-1"}) {
    worker.ask({"ZADD", shared_keys(0).unheard, "0", text});
  }
  CHECK(lease().entries.empty());
  CHECK(lease().entries.empty());
  CHECK(entries().empty());
}

TEST_CASE_FIXTURE(Hooked, "a message is unheard until any client has acknowledged it") {
  const auto first = push().id;
  const auto second = push().id;
  epoch = first.epoch;
  CHECK(is_unheard(first));
  read({.client = "a", .after = Cursor{}});
  CHECK(is_unheard(first));
  read({.client = "b", .after = Cursor{}});
  read_after(1, "a");
  CHECK_FALSE(is_unheard(first));
  CHECK(is_unheard(second));
  read_after(2, "a");
  CHECK_FALSE(is_unheard(second));
}

TEST_CASE_FIXTURE(Hooked, "a message that has expired, was removed or never was is not unheard") {
  const auto id = push("1", in(1000)).id;
  CHECK(is_unheard(id));
  clock.pass(1000);
  CHECK_FALSE(is_unheard(id));
  const auto other = push().id;
  CHECK(is_unheard(other));
  CHECK_FALSE(is_unheard({other.epoch, other.seq + 1}));
  CHECK_FALSE(is_unheard({other.epoch + 1, other.seq}));
  worker.ask({"DEL", keys.base, keys.unacked});
  CHECK_FALSE(is_unheard(other));
}

TEST_CASE_FIXTURE(Hooked, "a message keeps its id when its mailbox forks, and is unheard still") {
  const auto before = push().id;
  worker.ask({"SET", shared_keys(0).reign, std::to_string(before.epoch + 1)});
  clock.pass(10);
  const auto after = push().id;
  REQUIRE(after.epoch > before.epoch);
  CHECK(is_unheard(before));
  CHECK(is_unheard(after));
  // The old epoch ends with the fork.
  CHECK_FALSE(is_unheard({before.epoch, after.seq}));
}

TEST_CASE_FIXTURE(Hooked, "a push notes each message that it stores, and when it is due") {
  auto limits = small_limits();
  limits.webhook_ms = 60'000;
  RedisWorker hooked{server.login(), clock, limits, "hooked"};
  REQUIRE(hooked.comes_up());
  push();
  CHECK(entries().empty());
  const auto pushed = hooked.push("alice", "1");
  REQUIRE(pushed);
  CHECK(entries() == std::vector<std::string>{"alice " + pushed->id.text()});
  // A client's line is written up to a second and a half late.
  CHECK(due(entries().front()) == std::to_string(in(61'500)));
  worker.ask({"SET", mailbox_key("bob"), "x"});
  CHECK_FALSE(hooked.push("bob", "1"));
  CHECK(entries().size() == 1);
  worker.ask({"SET", shared_keys(0).unheard, "x"});
  CHECK(hooked.push("alice", "1"));
}

TEST_CASE_FIXTURE(Hooked, "a mailbox that can't be read is an error that names its key") {
  const auto id = push().id;
  worker.ask({"SET", keys.clients, "x"});
  CHECK(look({"", "alice", id, 1}).find(clients_key("alice")) != std::string::npos);
}

}  // namespace
}  // namespace letterbox::test
