// SPDX-License-Identifier: MIT
//
// Pushes of one turn of the loop: steps that several pushes share.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "mailbox/keys.h"
#include "model/message.h"
#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

struct Steps : Mailboxes {
  struct Letter {
    std::vector<std::string_view> users;
    std::string data;
  };
  using Outcomes = std::vector<Or<Pushed>>;

  // The outcome of each, all pushed during one turn.
  std::vector<Outcomes> push_together(const std::vector<Letter>& letters) {
    return worker.await<std::vector<Outcomes>>([&](const auto& then) {
      const auto all = std::make_shared<std::vector<Outcomes>>();
      for (const auto& letter : letters) {
        worker.store.push_each(letter.users, make_element("mail", letter.data, clock.wall_ms(), 0),
                               {}, [all, then, count = letters.size()](const Outcomes& outcomes) {
                                 all->push_back(outcomes);
                                 if (all->size() == count) then(*all);
                               });
      }
    });
  }
  // How many steps that took.
  size_t steps(const std::vector<Letter>& letters) {
    REQUIRE(worker.push("nobody"));  // so that Redis knows the script
    REQUIRE(worker.ask({"CONFIG", "RESETSTAT"}).ok());
    push_together(letters);
    const std::string said = worker.ask({"INFO", "commandstats"}).text;
    const std::string begin = "cmdstat_evalsha:calls=";
    return std::stoul(said.substr(said.find(begin) + begin.size()));
  }
  std::vector<std::string> kept(std::string_view user) {
    return worker.ask({"LRANGE", MailboxKeys(user).unacked, "0", "-1"}).texts();
  }
  std::string element(std::string_view data) {
    return make_element("mail", data, clock.wall_ms(), 0);
  }
};

TEST_CASE_FIXTURE(Steps, "pushes of one turn are one step, and each gets its own outcome") {
  CHECK(steps({{{"alice"}, "1"}, {{"bob", "carol"}, "2"}, {{"alice"}, "3"}}) == 1);
  CHECK(kept("alice") == std::vector{element("1"), element("3")});
  CHECK(kept("bob") == std::vector{element("2")});
  CHECK(kept("carol") == std::vector{element("2")});
}

TEST_CASE_FIXTURE(Steps,
                  "pushes of one step are answered each by its own outcomes, in their order") {
  const auto outcomes =
      push_together({{{"alice"}, "1"}, {{"bob", "alice"}, "2"}, {{"alice"}, "3"}});
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[0].at(0).value().id == id(1));
  REQUIRE(outcomes[1].size() == 2);
  CHECK(outcomes[1][0].value().queued == 1);
  CHECK(outcomes[1][1].value().id == id(2));
  CHECK(outcomes[2].at(0).value().id == id(3));
  CHECK(outcomes[2][0].value().queued == 3);
}

TEST_CASE_FIXTURE(Steps, "a push in the next turn is a step of its own") {
  CHECK(steps({{{"alice"}, "1"}}) == 1);
  REQUIRE(push().queued == 2);
  CHECK(worker.ask({"INFO", "commandstats"}).text.find("cmdstat_evalsha:calls=2,") !=
        std::string::npos);
}

TEST_CASE_FIXTURE(Steps, "a step has at most fifty recipients") {
  const Letter single{{"alice"}, "1"};
  CHECK(steps(std::vector<Letter>(50, single)) == 1);
  CHECK(steps(std::vector<Letter>(51, single)) == 2);
  CHECK(kept("alice").size() == 40);
  const Letter pair{{"bob", "carol"}, "1"};
  std::vector<Letter> letters(49, single);
  letters.push_back(pair);  // not divided over two steps
  CHECK(steps(letters) == 2);
  CHECK(kept("carol").size() == 1);
}

TEST_CASE_FIXTURE(Steps, "a step has at most a mebibyte of copies, or one message") {
  const Letter half{{"alice"}, '"' + std::string(500'000, 'x') + '"'};
  CHECK(steps({half, half}) == 1);
  CHECK(steps({half, half, half}) == 2);
  CHECK(steps({{{"alice", "bob"}, half.data}, half}) == 2);
  const Letter large{{"alice"}, '"' + std::string(2'000'000, 'x') + '"'};
  CHECK(steps({large, {{"bob"}, "1"}, large}) == 3);
}

TEST_CASE_FIXTURE(Steps, "an error in one mailbox touches no other push of its step") {
  worker.ask({"RPUSH", MailboxKeys("bob").base, "by hand"});
  const auto outcomes =
      push_together({{{"alice"}, "1"}, {{"bob"}, "2"}, {{"bob", "carol"}, "3"}, {{"alice"}, "4"}});
  CHECK(outcomes.at(0).at(0).value().id == id(1));
  CHECK(outcomes.at(1).at(0).error().code == Code::broken_data);
  CHECK(outcomes.at(2).at(0).error().code == Code::broken_data);
  CHECK(outcomes.at(2).at(1).value().queued == 1);
  CHECK(outcomes.at(3).at(0).value().id == id(2));
}

TEST_CASE_FIXTURE(Steps, "each message of a step is told at an address by an element of its own") {
  RedisWorker program(server.login(), clock, small_limits(), "one");
  REQUIRE(program.comes_up());
  for (const auto* user : {"alice", "bob"}) {
    REQUIRE(
        program.read({.user = user, .client = "c", .after = Cursor{}, .watch_until = in(30'000)}));
  }
  push_together({{{"alice", "bob"}, "1"}, {{"bob"}, "2"}, {{"carol"}, "3"}});
  const auto told = worker.ask({"LRANGE", address_key("one", 0), "0", "-1"}).texts();
  REQUIRE(told.size() == 2);
  const auto first = parse_addressed(told[0]);
  REQUIRE(first.size() == 2);
  CHECK(first[0].first == "alice");
  CHECK(first[1].first == "bob");
  const auto second = parse_addressed(told[1]);
  REQUIRE(second.size() == 1);
  CHECK(second[0].first == "bob");
  CHECK(second[0].second.id.seq == 2);
  CHECK(told[1].ends_with(element("2")));
}

TEST_CASE_FIXTURE(Steps,
                  "raw elements that were popped share a step with pushes, and are messages") {
  const auto adopted = worker.await<Or<Pushed>>([&](const auto& then) {
    worker.store.push("alice", element("1"), [](const auto&) {});
    worker.store.adopt("alice", "by hand", then);
  });
  CHECK(adopted.value().id == id(2));
  CHECK(kept("alice").size() == 2);
}

}  // namespace
}  // namespace letterbox::test
