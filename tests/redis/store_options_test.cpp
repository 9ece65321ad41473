// SPDX-License-Identifier: MIT
//
// The rarer options of a push: to be pushed once however often it comes, to replace another
// message, to come out of the schedule.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

struct Steered : Mailboxes {
  Pushed push_as(const PushOptions& options, std::string_view data = "1") {
    const auto pushed = worker.push("alice", data, options);
    REQUIRE(pushed);
    return *pushed;
  }
  Pushed once(std::string_view name, std::string_view data = "1") {
    return push_as({std::string(name), "", ""}, data);
  }
  Pushed collapse(std::string_view key, std::string_view data = "1") {
    return push_as({"", std::string(key), ""}, data);
  }
  std::vector<std::string> elements() {
    return worker.ask({"LRANGE", keys.unacked, "0", "-1"}).texts();
  }
  // More than a test pushes.
  ReadText read_all() { return read({.client = "b", .after = Cursor{}, .limit = 20'000}); }
  // The count of placeholders that `collapse` has, as BASE COUNT.
  std::string counted() { return worker.ask({"HGET", collapse_key("alice"), ""}).text; }
  size_t placeholders() {
    const auto all = elements();
    return static_cast<size_t>(std::count(all.begin(), all.end(), "~"));
  }
  // A push that is refused, and has stored nothing.
  void is_refused(const PushOptions& options, std::string_view key) {
    const auto before = elements();
    const auto pushed = worker.push("alice", "1", options);
    REQUIRE_FALSE(pushed);
    CHECK(pushed.error().code == Code::broken_data);
    CHECK(pushed.error().message.find(key) != std::string::npos);
    CHECK(elements() == before);
  }
};

// --- idempotent ----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Steered,
                  "a push of the same name has the outcome of the first, and pushes nothing") {
  push();
  const auto first = once("k");
  CHECK_FALSE(first.replayed);
  push();
  const auto again = once("k");
  CHECK(again.replayed);
  CHECK(again.id == first.id);
  CHECK(again.queued == first.queued);
  CHECK(again.waiting == first.waiting);
  CHECK(elements().size() == 3);
  CHECK(worker.store.pushes().figures().messages.value() == 3);
}

TEST_CASE_FIXTURE(Steered, "a push of another name, or to another user, is another push") {
  once("k");
  CHECK_FALSE(once("other").replayed);
  const auto to_bob = worker.push("bob", "1", PushOptions{"k", "", ""});
  REQUIRE(to_bob);
  CHECK_FALSE(to_bob->replayed);
}

TEST_CASE_FIXTURE(Steered, "a push is known for as long as its record lives") {
  once("k");
  const auto life = worker.ask({"PTTL", pushed_key("alice", "k")}).integer;
  CHECK(life > 0);
  CHECK(life <= static_cast<int64_t>(kRecordLifeMs));
  REQUIRE(worker.ask({"DEL", pushed_key("alice", "k")}).ok());
  CHECK_FALSE(once("k").replayed);
}

TEST_CASE_FIXTURE(Steered, "a push that was refused is not known") {
  push();
  REQUIRE(worker.ask({"SET", keys.unacked, "no list"}).ok());
  CHECK_FALSE(worker.push("alice", "1", PushOptions{"k", "", ""}));
  REQUIRE(worker.ask({"DEL", keys.unacked}).ok());
  CHECK_FALSE(once("k").replayed);
}

TEST_CASE_FIXTURE(Steered, "a push is known although the mailbox was deleted") {
  const auto first = once("k");
  REQUIRE(worker.remove("alice"));
  CHECK(once("k").id == first.id);
  CHECK(elements().empty());
}

// --- collapse ------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Steered, "the unread message of a key is replaced by a placeholder") {
  push("1");
  collapse("quota", "2");
  collapse("other", "3");
  collapse("quota", "4");
  const auto last = collapse("quota", "5");
  CHECK(last.id == id(5));
  const auto all = elements();
  REQUIRE(all.size() == 5);
  CHECK(all[1] == "~");
  CHECK(all[3] == "~");
  CHECK(seqs(read_after(0)) == Seqs{1, 3, 5});
  CHECK(view().queued == 3);
  CHECK(counted() == "0 2");
}

TEST_CASE_FIXTURE(
    Steered,
    "without a live client a placeholder at the front leaves, as an expired message does") {
  for (int i = 0; i < 10; ++i) collapse("quota");
  CHECK(elements().size() == 1);
  CHECK(seqs(read_after(0)) == Seqs{10});
}

TEST_CASE_FIXTURE(Steered,
                  "a message that has left the list is not replaced, nor any other instead of it") {
  collapse("quota");
  push();
  read({.client = "a", .after = id(1)});
  CHECK(elements().size() == 1);
  collapse("quota");
  CHECK(placeholders() == 0);
  CHECK(seqs(read_after(1)) == Seqs{2, 3});
}

TEST_CASE_FIXTURE(Steered, "a mailbox that begins again does not know the keys of the one before") {
  push();
  push();
  collapse("quota");
  for (bool by_hand : {false, true}) {
    if (by_hand) {
      REQUIRE(worker.ask({"DEL", keys.base, keys.unacked, keys.mailbox, keys.clients}).ok());
    } else {
      REQUIRE(worker.remove("alice"));
    }
    clock.pass(1);
    for (int i = 0; i < 3; ++i) push();
    collapse("quota");
    CHECK(placeholders() == 0);
    CHECK(elements().size() == 4);
  }
}

TEST_CASE_FIXTURE(Steered, "placeholders push no message out of the mailbox") {
  push_many(5);
  for (int i = 0; i < 200; ++i) collapse("quota");
  CHECK(seqs(read_all()) == Seqs{1, 2, 3, 4, 5, 205});
  CHECK(counted() == "0 199");
  // The mailbox is full of messages again: the oldest leaves, and the count stays right.
  push_many(34);
  CHECK(seqs(read_all()).front() == 1);
  push();
  CHECK(seqs(read_all()).front() == 2);
  CHECK(counted() == "1 199");
}

TEST_CASE_FIXTURE(Steered, "at most 10,000 placeholders stay") {
  push();
  REQUIRE(worker
              .ask({"EVAL", "for i = 1, 10060 do redis.call('RPUSH', KEYS[1], '~') end", "1",
                    keys.unacked})
              .ok());
  REQUIRE(worker.ask({"HSET", collapse_key("alice"), "", "0 10060"}).ok());
  collapse("quota");
  CHECK(elements().size() == kPlaceholders + 40);
  CHECK(placeholders() == kPlaceholders + 39);
}

TEST_CASE_FIXTURE(Steered,
                  "placeholders are counted again after an acknowledgement has moved the list") {
  push_many(22);
  for (int i = 0; i < 60; ++i) collapse("quota");
  read({.client = "a", .after = id(20)});
  CHECK(elements().size() == 62);
  push();
  CHECK(counted() == "20 59");
  CHECK(placeholders() == 59);
}

TEST_CASE_FIXTURE(Steered, "the bytes of a replaced message are given back") {
  const std::string long_text = '"' + std::string(500'000, 'x') + '"';
  for (int i = 0; i < 60; ++i) collapse("quota", long_text);
  CHECK(seqs(read_all()) == Seqs{60});
  const auto base = worker.ask({"GET", keys.base}).text;
  const auto bytes = elements().back().size() + placeholders();
  CHECK(base.find('+' + std::to_string(bytes)) != std::string::npos);
}

TEST_CASE_FIXTURE(Steered, "keys whose messages have left are forgotten in the end") {
  for (int i = 0; i < 999; ++i) collapse("k" + std::to_string(i));
  CHECK(worker.ask({"HLEN", collapse_key("alice")}).integer == 999);
  collapse("one-more");
  CHECK(worker.ask({"HLEN", collapse_key("alice")}).integer <= 45);
}

TEST_CASE_FIXTURE(Steered,
                  "after any pushes, replacements and acknowledgements no message is lost") {
  std::mt19937 random(7);
  std::vector<uint64_t> kept;         // that are to be read, oldest first
  std::vector<uint64_t> under(3, 0);  // the newest of each key
  uint64_t seq = 0;
  uint64_t acknowledged = 0;
  for (int i = 0; i < 1'500; ++i) {
    const auto what = random() % 8;
    if (what < 2) {
      push();
      kept.push_back(++seq);
    } else if (what < 7) {
      const auto key = random() % under.size();
      collapse("k" + std::to_string(key));
      kept.erase(std::remove(kept.begin(), kept.end(), under[key]), kept.end());
      under[key] = ++seq;
      kept.push_back(seq);
    } else if (kept.size() > 20) {
      acknowledged = kept[random() % (kept.size() - 1)];
      read({.client = "a", .after = id(acknowledged), .limit = 1});
      kept.erase(kept.begin(), std::upper_bound(kept.begin(), kept.end(), acknowledged));
    }
    while (kept.size() > 40) kept.erase(kept.begin());
    if (i % 50 == 0) {
      CAPTURE(i);
      CHECK(seqs(read_all()) == kept);
      worker.ask({"HDEL", keys.clients, "b"});
    }
  }
}

// --- scheduled -----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Steered,
                  "a scheduled message is taken out in the step that pushes it, and pushed once") {
  REQUIRE(worker.ask({"HSET", scheduled_key("alice"), "", "10", "a", "12345", "b", "12345"}).ok());
  CHECK(push_as({"", "", "a"}).id == id(1));
  CHECK(push_as({"", "", "a"}).id == Cursor{});
  CHECK(worker.ask({"HGETALL", scheduled_key("alice")}).texts() ==
        std::vector<std::string>{"", "5", "b", "12345"});
  CHECK(push_as({"", "", "b"}).id == id(2));
  CHECK(worker.ask({"EXISTS", scheduled_key("alice")}).integer == 0);
  CHECK(elements().size() == 2);
  CHECK(worker.store.pushes().figures().messages.value() == 2);
}

TEST_CASE_FIXTURE(Steered, "a scheduled message that can't be pushed stays scheduled") {
  push();
  REQUIRE(worker.ask({"HSET", scheduled_key("alice"), "", "5", "a", "12345"}).ok());
  REQUIRE(worker.ask({"SET", keys.unacked, "no list"}).ok());
  CHECK_FALSE(worker.push("alice", "1", PushOptions{"", "", "a"}));
  REQUIRE(worker.ask({"DEL", keys.unacked}).ok());
  CHECK(push_as({"", "", "a"}).id == id(1));
}

// --- foreign values ------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Steered, "a key of a wrong type refuses the push that needs it, and no other") {
  push();
  const PushOptions all{.record = "r", .collapse = "c", .scheduled = "s"};
  for (const std::string& key :
       {pushed_key("alice", "r"), scheduled_key("alice"), collapse_key("alice")}) {
    CAPTURE(key);
    REQUIRE(
        worker.ask({"DEL", pushed_key("alice", "r"), scheduled_key("alice"), collapse_key("alice")})
            .ok());
    REQUIRE(worker.ask({"HSET", scheduled_key("alice"), "", "1", "s", "1"}).ok());
    REQUIRE(worker.ask({"DEL", key}).ok());
    REQUIRE(worker.ask({"RPUSH", key, "no"}).ok());
    is_refused(all, key);
    push();
  }
}

TEST_CASE_FIXTURE(Steered, "impossible numbers are no positions of messages") {
  push_many(3);
  for (const auto* number : {"99", "0", "-1", "x", "", "1e300", "nan"}) {
    REQUIRE(worker.ask({"HSET", collapse_key("alice"), "quota", number}).ok());
    collapse("quota");
    CHECK(placeholders() == 0);
    REQUIRE(worker.ask({"HDEL", collapse_key("alice"), "quota"}).ok());
  }
}

}  // namespace
}  // namespace letterbox::test
