// SPDX-License-Identifier: MIT
//
// The light look at many mailboxes: what it sees of each.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

struct Peeking : Mailboxes {
  Store::Glimpses look(const std::vector<Store::Parked>& clients, bool lists = false) {
    const auto seen = worker.await<Or<Store::Glimpses>>(
        [&](const auto& then) { worker.store.peek(clients, lists, then); });
    REQUIRE(seen);
    REQUIRE(seen->size() == clients.size());
    return *seen;
  }
  Glimpse alice(bool lists = false, const char* client = "tab") {
    const auto seen = look({{"alice", client}}, lists).front();
    REQUIRE(seen);
    return *seen;
  }
};

TEST_CASE_FIXTURE(Peeking, "a light look sees what was noted of a client, and the newest message") {
  push_many(3);
  read({.client = "tab", .after = id(2), .watch_until = in(9000), .park_until = in(5000)});
  read({.client = "tab", .after = id(3), .watch_until = in(9000), .park_until = in(6000)});
  push();
  const Glimpse seen = alice();
  CHECK(seen.newest == id(4));
  CHECK(seen.noted);
  CHECK(seen.cursor == id(3));
  CHECK(seen.watch_until == in(9000));
  CHECK(seen.park_until == in(6000));
  CHECK_FALSE(seen.raw);
}

TEST_CASE_FIXTURE(Peeking,
                  "a light look sees the newest message also once the older ones are gone") {
  push_many(3);
  read_after(3, "tab");
  CHECK(alice().newest == id(3));
}

TEST_CASE_FIXTURE(Peeking, "before the first push a light look sees no message") {
  CHECK(alice().newest == Cursor{});
  CHECK_FALSE(alice().noted);
  read({.client = "tab", .after = Cursor{}, .watch_until = in(9000), .park_until = in(5000)});
  CHECK(alice().newest == Cursor{});
  CHECK(alice().noted);
  CHECK(alice().watch_until == in(9000));
}

TEST_CASE_FIXTURE(Peeking, "a light look tells this program from others that watch") {
  push();
  const auto watched_until = [&](const std::string& watchers) {
    worker.ask({"SET", keys.base, "5 0 7" + watchers});
    return alice().watch_until;
  };
  const std::string later = std::to_string(in(1000));
  const std::string over = std::to_string(in(0));
  CHECK(watched_until("") == 0);
  CHECK(watched_until(" @other " + later) == 0);
  CHECK(watched_until(" program " + later) == 0);
  CHECK(watched_until(" @other " + later + " @program " + later) == in(1000));
  CHECK(watched_until("+120<4:3<3:2 @other " + over + " @program " + later) == in(1000));
}

TEST_CASE_FIXTURE(Peeking, "a light look sees raw elements if it is to look at the list") {
  push();
  CHECK_FALSE(alice(true).raw);
  worker.ask({"RPUSH", keys.mailbox, "by hand"});
  CHECK(alice(true).raw);
  CHECK_FALSE(alice(false).raw);
}

TEST_CASE_FIXTURE(Peeking, "keys that hold something else spoil the look at that client alone") {
  push();
  bool lists = false;
  SUBCASE("base is no string") { worker.ask({"HSET", MailboxKeys("bob").base, "a", "b"}); }
  SUBCASE("base is another string") { worker.ask({"SET", MailboxKeys("bob").base, "what?"}); }
  SUBCASE("base has a watcher without a time") {
    worker.ask({"SET", MailboxKeys("bob").base, "5 0 7 who"});
  }
  SUBCASE("unacked is no list") { worker.ask({"SET", MailboxKeys("bob").unacked, "x"}); }
  SUBCASE("clients is no hash") { worker.ask({"SET", clients_key("bob"), "x"}); }
  SUBCASE("the client's line is no line") {
    worker.ask({"HSET", clients_key("bob"), "tab", "5 x"});
  }
  SUBCASE("mailbox is no list") {
    worker.ask({"SET", mailbox_key("bob"), "x"});
    lists = true;
  }
  const auto seen = look({{"alice", "tab"}, {"bob", "tab"}, {"carol", "tab"}}, lists);
  REQUIRE(seen[0]);
  CHECK(seen[0]->newest == id(1));
  CHECK_FALSE(seen[1]);
  CHECK(seen[2]);
}

}  // namespace
}  // namespace letterbox::test
