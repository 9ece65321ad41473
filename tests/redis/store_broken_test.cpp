// SPDX-License-Identifier: MIT
//
// Foreign values at a mailbox's keys: the error names the key, nothing is stored next to it, and
// removing the mailbox cures it.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "mailbox/keys.h"
#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

struct Broken : Mailboxes {
  Broken() {
    push();
    push();
    read({.client = "tab", .after = id(1)});
  }

  void set(std::string_view key, std::string_view value) {
    REQUIRE(worker.ask({"DEL", key}).ok());
    REQUIRE(worker.ask({"SET", key, value}).ok());
  }
  std::string clock_text() const { return std::to_string(clock.wall_ms()); }

  // The error of an answer, which must be terminal and name the key.
  template <class T>
  void check_names(const Or<T>& answer, std::string_view key) {
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Code::broken_data);
    CHECK(answer.error().retry_after_ms == 0);
    CHECK(answer.error().message.find(key) != std::string::npos);
  }
  std::vector<std::string> everything() {
    std::vector<std::string> all;
    for (const auto key : keys.views()) all.push_back(worker.ask({"DUMP", key}).text);
    return all;
  }
  void check_cured() {
    CHECK(worker.remove("alice").value());
    const auto pushed = worker.push("alice");
    REQUIRE(pushed);
    CHECK(pushed->id.seq == 1);
    CHECK(pushed->id.epoch > epoch);
    CHECK(read({.client = "tab", .after = Cursor{}}).count == 1);
    CHECK(view().queued == 1);
    CHECK(worker.unread("alice", "new").value() == 1);
  }
};

TEST_CASE_FIXTURE(
    Broken,
    "a mailbox that can't be parsed is reported as broken, by its key, and nothing is stored") {
  std::string key;
  SUBCASE("base: no record") { set(key = keys.base, "no record"); }
  SUBCASE("base: empty") { set(key = keys.base, ""); }
  SUBCASE("base: half a record") { set(key = keys.base, std::to_string(epoch) + " 5"); }
  SUBCASE("base: more after it") { set(key = keys.base, std::to_string(epoch) + " 5 6x"); }
  SUBCASE("base: negative") { set(key = keys.base, "-5 0 5"); }
  SUBCASE("base: an epoch beyond any time") { set(key = keys.base, "100000000000000 0 5"); }
  SUBCASE("base: a count beyond any count") {
    set(key = keys.base, std::to_string(epoch) + " 999999999999999 5");
  }
  SUBCASE("base: bytes beyond any count") {
    set(key = keys.base, std::to_string(epoch) + " 0 5+999999999999999");
  }
  SUBCASE("base: a hash") {
    worker.ask({"DEL", keys.base});
    worker.ask({"HSET", key = keys.base, "a", "b"});
  }
  SUBCASE("unacked: a string") { set(key = keys.unacked, "x"); }
  SUBCASE("mailbox: a string") { set(key = keys.mailbox, "x"); }
  SUBCASE("clients: a string") { set(key = keys.clients, "x"); }
  const auto before = everything();
  for (int i = 0; i < 2; ++i) {
    check_names(worker.push("alice"), key);
    check_names(worker.read({.client = "tab", .after = id(1)}), key);
    check_names(worker.read({.client = ""}), key);
    check_names(worker.view("alice"), key);
  }
  if (key != keys.mailbox) check_names(worker.unread("alice", "tab"), key);
  CHECK(everything() == before);
  CHECK(worker.push("bob"));
  CHECK(worker.downs == 0);
  check_cured();
}

TEST_CASE_FIXTURE(Broken, "a broken mailbox is not reported as there once it has been removed") {
  SUBCASE("a record") { set(keys.base, "no record"); }
  SUBCASE("a list") { set(keys.mailbox, "x"); }
  SUBCASE("only a list") {
    worker.remove("alice").value();
    set(keys.mailbox, "x");
  }
  CHECK(worker.remove("alice").value());
  CHECK_FALSE(worker.remove("alice").value());
}

TEST_CASE_FIXTURE(Broken,
                  "clients that wait stay known if a record that can't be parsed is removed") {
  read({.client = "tab", .after = id(2), .watch_until = in(31'000), .park_until = in(25'000)});
  set(keys.base, "no record");
  CHECK(worker.remove("alice").value());
  const auto clients = view().clients;
  REQUIRE(clients.size() == 1);
  CHECK(clients[0].parked);
}

TEST_CASE_FIXTURE(Broken,
                  "a client whose line can't be parsed is told so, and no other client is") {
  std::string line;
  SUBCASE("no line") { line = "x"; }
  SUBCASE("an empty one") { line = ""; }
  SUBCASE("half a line") { line = std::to_string(epoch) + " 1"; }
  worker.ask({"HSET", keys.clients, "bad", line});
  check_names(worker.read({.client = "bad", .after = id(1)}), keys.clients);
  check_names(worker.read({.client = "bad"}), keys.clients);
  check_names(worker.unread("alice", "bad"), keys.clients);
  CHECK(read({.client = "tab", .after = id(1)}).count == 1);
  CHECK(worker.unread("alice", "tab").value() == 1);
  CHECK(push().id == id(3));
  // It may have no message yet: those for it are kept.
  read_after(3, "tab");
  CHECK(view().newest == id(3));
  CHECK(worker.unread("alice", "new").value() == 2);
  check_cured();
}

TEST_CASE_FIXTURE(Broken,
                  "a client whose line can't be parsed gives way to a new one at the limit") {
  MailboxLimits limits = small_limits();
  limits.clients = 2;
  RedisWorker small(server.login(), clock, limits);
  REQUIRE(small.comes_up());
  worker.ask({"HSET", keys.clients, "bad", "x"});
  REQUIRE(small.read({.client = "new", .after = id(1)}));
  CHECK(worker.ask({"HEXISTS", keys.clients, "bad"}).integer == 0);
  CHECK(worker.ask({"HEXISTS", keys.clients, "tab"}).integer == 1);
}

TEST_CASE_FIXTURE(Broken, "a message that can't be parsed is missed, and holds up no client") {
  worker.ask({"LSET", keys.unacked, "0", "x"});
  CHECK(view().queued == 0);
  CHECK(worker.unread("alice", "tab").value() == 0);
  CHECK(push().id == id(3));
  const auto reading = read({.client = "tab", .after = id(1)});
  CHECK(reading.count == 1);
  CHECK(reading.missed == 1);
}

TEST_CASE_FIXTURE(Broken, "a push to several mailboxes fails only in those that are broken") {
  set(MailboxKeys("bob").mailbox, "x");
  const std::string element = make_element("mail", "1", clock.wall_ms(), 0);
  const std::vector<std::string_view> users{"alice", "bob", "carol"};
  const auto outcomes = worker.await<std::vector<Or<Pushed>>>(
      [&](const auto& then) { worker.store.push_each(users, element, {}, then); });
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[0]);
  check_names(outcomes[1], mailbox_key("bob"));
  CHECK(outcomes[2]);
  CHECK(worker.ask({"EXISTS", MailboxKeys("bob").unacked}).integer == 0);
}

TEST_CASE_FIXTURE(Broken, "with an impossible reign nothing is pushed, and the key is named") {
  std::string reign;
  SUBCASE("no number") { reign = "x"; }
  SUBCASE("negative") { reign = "-5"; }
  SUBCASE("sixteen digits") { reign = "1795287654123000"; }
  SUBCASE("two years ahead") { reign = std::to_string(in(2 * 31'557'600'000)); }
  worker.ask({"SET", shared_keys(0).reign, reign});
  const auto before = everything();
  const auto pushed = worker.push("alice");
  REQUIRE_FALSE(pushed);
  CHECK(pushed.error().code == Code::store_unavailable);
  CHECK(pushed.error().message.find(shared_keys(0).reign) != std::string::npos);
  CHECK(everything() == before);
  worker.ask({"DEL", shared_keys(0).reign});
  CHECK(push().id == id(3));
}

}  // namespace
}  // namespace letterbox::test
