// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

#include "handlers/poll.h"
#include "tests/unit/fake_entrance.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_presence.h"

namespace letterbox::test {
namespace {

// A poll that comes over a connection, and a store in the test's hands.
class Polling : public FakeEntrance {
 public:
  Polling() { access.at_once = true; }

  void poll(std::string_view query, std::string_view last_event_id = "") {
    Request request;
    request.last_event_id = last_event_id;
    handler_.poll(request, Query::parse(query).value(), peer.owed());
  }

  // The read that such a poll asks the store for.
  FakeStore::Read asked(std::string_view query, std::string_view last_event_id = "") {
    FakePeer another;
    Request request;
    request.last_event_id = last_event_id;
    handler_.poll(request, Query::parse(query).value(), another.owed());
    REQUIRE(store.reads.size() == 1);
    FakeStore::Read read = std::move(store.reads.front());
    store.reads.pop_front();
    read.then(away());
    return read;
  }

  std::string refused(std::string_view query) {
    FakePeer another;
    handler_.poll({}, Query::parse(query).value(), another.owed());
    CHECK(room.size() == 0);
    CHECK(another.answer().status() >= 400);
    return field(another.answer().body, "code");
  }

  // The note that is written of the client that polls.
  PresenceStore::Note noted(std::string_view query) {
    asked(query);
    clock.pass(1'000);
    run_timers();
    REQUIRE(presence.batches.size() == 1);
    REQUIRE(presence.batches.front().notes.size() == 1);
    return presence.batches.front().notes.front();
  }

  FakePeer peer;
  FakePresence presence;

 private:
  PresenceBook book_{loop, presence, 10};
  Entrance entrance_{desk, gate, room, book_};
  PollHandler handler_{gate, entrance_, {.timeout_ms = 25'000, .timeout_max_ms = 50'000}};
};

TEST_CASE_FIXTURE(Polling,
                  "a poll without parameters is the unnamed client's, for 25 s, 100 messages") {
  const auto read = asked("user=alice");
  CHECK(read.user == "alice");
  CHECK(read.client.empty());
  CHECK_FALSE(read.after);
  CHECK(read.limit == 100);
  CHECK(read.park_until == wall_in(25'000));
}

TEST_CASE_FIXTURE(Polling, "client, timeout, limit and after are taken from the query") {
  const auto read = asked("user=alice&client=tab-1&timeout=0.5&limit=1000&after=1795000000000-7");
  CHECK(read.client == "tab-1");
  CHECK(read.park_until == wall_in(500));
  CHECK(read.limit == 1000);
  CHECK(read.after == id(7));
  CHECK_FALSE(read.foreign);
  CHECK(asked("user=alice&client=longest&timeout=50").park_until == wall_in(50'000));
  CHECK(asked("user=alice&client=least&timeout=0&limit=1").park_until == 0);
}

TEST_CASE_FIXTURE(Polling, "a cursor that Letterbox has not issued is foreign, never an error") {
  for (const auto after : {"", "x", "-1", "1", "1-2-3", "%00", "1795000000000-7%0D%0A", "null",
                           "99999999999999999999-1"}) {
    CAPTURE(after);
    const auto read = asked(std::string("user=alice&after=") + after);
    CHECK(read.foreign);
    CHECK(read.after);
  }
  const auto beginning = asked("user=alice&client=new&after=0");
  CHECK_FALSE(beginning.foreign);
  CHECK(beginning.after == Cursor{});
}

TEST_CASE_FIXTURE(Polling, "Last-Event-ID is the cursor if after is not given") {
  CHECK(asked("user=alice", "1795000000000-7").after == id(7));
  CHECK(asked("user=alice&client=b&after=1795000000000-8", "1795000000000-7").after == id(8));
  CHECK(asked("user=alice&client=c", "garbage").foreign);
}

TEST_CASE_FIXTURE(Polling, "after=now reads after the newest message, and is no reset") {
  poll("user=alice&client=tab&after=now");
  REQUIRE(store.peeks.size() == 1);
  CHECK(store.peeks.front().clients.front() == std::pair<std::string, std::string>("alice", "tab"));
  CHECK(store.reads.empty());
  Cursor newest;
  SUBCASE("of which there are some") { newest = id(9); }
  SUBCASE("of which there was none ever") {}
  const auto then = std::move(store.peeks.front().then);
  Glimpse glimpse;
  glimpse.newest = newest;
  glimpse.cursor = newest == Cursor{} ? Cursor{} : id(5);  // where the client was
  then(Store::Glimpses{glimpse});
  REQUIRE(store.reads.size() == 1);
  CHECK(store.reads.front().after == newest);
  CHECK_FALSE(store.reads.front().foreign);
  answer_read(nothing_after(newest));
  CHECK_FALSE(peer.answered());
  tick_after(25'000);
  CHECK(field(peer.answer().body, "cursor") == newest.text());
  CHECK(field(peer.answer().body, "reset") == "false");
}

TEST_CASE_FIXTURE(Polling, "now as a Last-Event-ID is a cursor that nobody handed out") {
  CHECK(asked("user=alice", "now").foreign);
}

TEST_CASE_FIXTURE(Polling, "each fault of a poll has the contract's code") {
  CHECK(refused("") == "no_identity");
  CHECK(refused("user=a/b") == "bad_user");
  CHECK(refused("user=alice&client=") == "bad_client");
  CHECK(refused("user=alice&client=a%20b") == "bad_client");
  CHECK(refused("user=alice&client=" + std::string(65, 'x')) == "bad_client");
  for (const auto timeout : {"", "abc", "-1", "50.001", "51", "1e1", "inf", "nan", "0x10", "+5",
                             "1 ", "5%00", "99999999999999999999", "1,5"}) {
    CAPTURE(timeout);
    CHECK(refused(std::string("user=alice&timeout=") + timeout) == "bad_timeout");
  }
  for (const auto limit : {"", "0", "1001", "-1", "1.5", "ten", "1%00", "18446744073709551617"}) {
    CAPTURE(limit);
    CHECK(refused(std::string("user=alice&limit=") + limit) == "bad_limit");
  }
  for (const auto twice : {"user=bob", "client=a&client=b", "timeout=1&timeout=1",
                           "limit=1&limit=1", "after=0&after=0"}) {
    CAPTURE(twice);
    CHECK(refused(std::string("user=alice&") + twice) == "repeated_parameter");
  }
  CHECK(store.reads.empty());
}

TEST_CASE_FIXTURE(Polling, "a wrong value is named in the message") {
  poll("user=alice&timeout=abc");
  CHECK(field(peer.answer().body, "message") == "timeout must be a number from 0 to 50, got 'abc'");
}

TEST_CASE_FIXTURE(Polling, "unknown parameters are ignored") {
  CHECK(asked("user=alice&sid=1&sid=2&comefrom=inbox&").user == "alice");
}

TEST_CASE_FIXTURE(Polling, "a client that polls is online for one and a half times its timeout") {
  std::string timeout;
  uint64_t grace = 0;
  SUBCASE("without a word about it") { grace = 37'500; }
  SUBCASE("for as long as it says") {
    timeout = "&timeout=10";
    grace = 15'000;
  }
  SUBCASE("for at least a second") {
    timeout = "&timeout=0.2";
    grace = 1'000;
  }
  SUBCASE("if it only looks, as without a timeout") {
    timeout = "&timeout=0";
    grace = 37'500;
  }
  const uint64_t polled = clock.wall_ms();
  const auto note = noted("user=alice&client=tab" + timeout);
  CHECK(note.user == "alice");
  CHECK(note.client.name == "tab");
  CHECK(note.client.last_ms == polled);
  CHECK(note.client.until_ms >= polled + grace);
  CHECK(note.client.until_ms <= polled + grace + grace / 6);
}

TEST_CASE_FIXTURE(Polling, "a poll that is refused makes no client online") {
  refused("user=alice&timeout=abc");
  refused("user=a/b");
  clock.pass(1'000);
  run_timers();
  CHECK(presence.batches.empty());
}

TEST_CASE_FIXTURE(Polling, "a poll is answered when its time is up") {
  poll("user=alice&after=1795000000000-4");
  CHECK_FALSE(peer.answered());
  answer_read(nothing_after(id(4)));
  CHECK_FALSE(peer.answered());
  rung(ring(id(5)));
  CHECK(peer.answer().status() == 200);
  CHECK(peer.answer().header("Content-Type") == "application/json");
  CHECK(peer.answer().header("Cache-Control") == "no-store");
  CHECK(peer.answer().header("X-Accel-Buffering") == "no");
  CHECK(field(peer.answer().body, "messages") == message(id(5)));
}

TEST_CASE_FIXTURE(Polling,
                  "while the store is away a new poll is 503, and says when to come back") {
  SUBCASE("as it reads") {
    poll("user=alice");
    answer_read(away());
  }
  SUBCASE("as it looks which message is the newest") {
    poll("user=alice&after=now");
    const auto then = std::move(store.peeks.front().then);
    then(away());
  }
  CHECK(peer.answer().status() == 503);
  CHECK(peer.answer().header("Retry-After") == "2");
  CHECK(field(peer.answer().body, "code") == "store_unavailable");
  CHECK(field(peer.answer().body, "terminal") == "false");
}

}  // namespace
}  // namespace letterbox::test
