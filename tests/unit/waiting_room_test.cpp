// SPDX-License-Identifier: MIT
//
// Polls that come in, read, wait and are answered. Superseding, warm clients and a long random walk
// have files of their own.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "tests/unit/fake_waiting.h"
#include "waiting/room.h"

namespace letterbox::test {
namespace {

// --- coming in ---------------------------------------------------------------------------------

TEST_CASE_FIXTURE(FakeWaiting, "a poll reads as it comes in, and says until when it may park") {
  Question question = with_cursor(id(4), "tab");
  question.limit = 7;
  const auto heard = enter(question);
  CHECK(room.size() == 1);
  CHECK(heard->count() == 0);
  REQUIRE(store.reads.size() == 1);
  const auto& read = store.reads.front();
  CHECK(read.user == "alice");
  CHECK(read.client == "tab");
  CHECK(read.after == id(4));
  CHECK_FALSE(read.foreign);
  CHECK(read.limit == 7);
  CHECK(read.park_until == wall_in(25'000));
  CHECK(read.watch_until == wall_in(25'000 + 5'000 + 1'000 + 60'000));
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll that only looks says that it neither parks nor watches") {
  enter(only_looking(with_cursor(id(4))));
  CHECK(store.reads.front().park_until == 0);
  CHECK(store.reads.front().watch_until == 0);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a poll that finds messages is answered at once, and watches nothing") {
  const auto heard = enter(with_cursor(id(4)));
  Reading reading = one(id(7));
  reading.messages = {{id(6), kBody}, {id(7), kBody}};
  reading.missed = 1;
  answer_read(reading);
  CHECK(answer_of(heard) ==
        R"({"count":2,"messages":[)" + message(id(6)) + "," + message(id(7)) +
            R"(],"cursor":"1795000000000-7","missed":1,"reset":false,"reason":"messages",)"
            "\"retry_after_ms\":0,\"collapsed\":0}\n");
  CHECK(room.size() == 0);
  CHECK(bells.size() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "delivered messages and parked polls are counted") {
  enter(with_cursor(id(4)));
  CHECK(room.parked() == 0);
  Reading reading = one(id(7));
  reading.messages = {{id(6), kBody}, {id(7), kBody}};
  reading.missed = 1;
  answer_read(reading);
  CHECK(room.delivered().messages.value() == 2);
  CHECK(room.delivered().bytes.value() == 2 * kBody.size());
  CHECK(room.delivered().missed.value() == 1);
  park(with_cursor(id(7)));
  CHECK(room.parked() == 1);
  rung(ring(id(8)));
  CHECK(room.parked() == 0);
  CHECK(room.delivered().messages.value() == 3);
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll that finds nothing is parked, and its mailbox watched") {
  const auto heard = enter(with_cursor(id(4)));
  CHECK_FALSE(bells.watches("alice"));
  answer_read(nothing_after(id(4)));
  CHECK(heard->count() == 0);
  CHECK(room.size() == 1);
  CHECK(bells.watches("alice"));
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll that only looks is never parked") {
  const auto heard = enter(only_looking(with_cursor(id(4))));
  answer_read(nothing_after(id(4)));
  CHECK(reason_of(heard) == "timeout");
  CHECK(field(answer_of(heard), "cursor") == id(4).text());
  CHECK(retry_of(heard) == 0);
  CHECK(bells.size() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "a ring during the read makes the poll read again") {
  std::string rings;
  SUBCASE("one that carries a message") { rings = ring(id(5)); }
  SUBCASE("a bell") { rings = bell(); }
  const auto heard = enter(with_cursor(id(4)));
  rung(rings);
  CHECK(store.reads.size() == 1);
  answer_read(nothing_after(id(4)));
  CHECK(heard->count() == 0);
  CHECK_FALSE(bells.watches("alice"));
  REQUIRE(store.reads.size() == 1);
  CHECK(store.reads.front().after == id(4));
  answer_read(one(id(5)));
  CHECK(reason_of(heard) == "messages");
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "rings that were not heard during the read make the poll read again") {
  const auto heard = enter(with_cursor(id(4)));
  room.missed_rings(desk, {"alice"});
  answer_read(nothing_after(id(4)));
  REQUIRE(store.reads.size() == 1);
  answer_read(one(id(5)));
  CHECK(reason_of(heard) == "messages");
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a read that stops short of the newest message is followed by one more") {
  const auto heard = enter(with_cursor(id(4)));
  Reading expired;  // all messages that it had room for have expired
  expired.cursor = id(6);
  expired.newest = id(7);
  expired.missed = 2;
  answer_read(expired);
  REQUIRE(store.reads.size() == 1);
  CHECK(store.reads.front().after == id(6));
  answer_read(one(id(7)));
  CHECK(field(answer_of(heard), "messages") == message(id(7)));
  CHECK(field(answer_of(heard), "missed") == "2");
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "the missed count and a reset are carried from the read to the answer") {
  const auto heard = enter(with_foreign_cursor());
  CHECK(store.reads.front().foreign);
  Reading reading = nothing_after(id(4));
  reading.missed = 3;
  reading.reset = true;
  answer_read(reading);
  SUBCASE("to that of a ring") { rung(ring(id(5))); }
  SUBCASE("to that of another read, which begins where the first one ended") {
    rung(ring(id(6)));
    CHECK_FALSE(store.reads.front().foreign);
    CHECK(store.reads.front().after == id(4));
    answer_read(one(id(6)));
  }
  SUBCASE("to that of a timeout") { tick_after(25'000); }
  CHECK(field(answer_of(heard), "missed") == "3");
  CHECK(field(answer_of(heard), "reset") == "true");
}

TEST_CASE_FIXTURE(FakeWaiting, "the missed counts of a poll's two reads are added up") {
  const auto heard = enter(with_cursor(id(1)));
  Reading reading = nothing_after(id(4));
  reading.missed = 3;
  answer_read(reading);
  rung(bell());
  reading = one(id(7));
  reading.missed = 2;
  answer_read(reading);
  CHECK(field(answer_of(heard), "missed") == "5");
}

// --- rings -------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(FakeWaiting, "a ring that carries the next message answers without a read") {
  const auto heard = park(with_cursor(id(4)));
  rung(ring(id(5)));
  CHECK(store.reads.empty());
  CHECK(answer_of(heard) ==
        R"({"count":1,"messages":[)" + message(id(5)) +
            R"(],"cursor":"1795000000000-5","missed":0,"reset":false,"reason":"messages",)"
            "\"retry_after_ms\":0,\"collapsed\":0}\n");
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "two clients of a user are both answered by one ring") {
  const auto tab = park(with_cursor(id(4), "tab"));
  const auto phone = park(with_cursor(id(4), "phone"));
  const auto script = enter(without_cursor("script"));
  answer_read(nothing_after(id(4)));
  rung(ring(id(5)));
  CHECK(field(answer_of(tab), "messages") == message(id(5)));
  CHECK(field(answer_of(phone), "messages") == message(id(5)));
  answer_read(one(id(5)));
  CHECK(field(answer_of(script), "messages") == message(id(5)));
}

TEST_CASE_FIXTURE(FakeWaiting, "a ring reaches no other user") {
  Question question = with_cursor(id(4));
  question.user = "bob";
  const auto bob = park(question);
  rung(ring(id(5)), "alice");
  CHECK(bob->count() == 0);
  CHECK(store.reads.empty());
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a ring that does not carry the client's next message makes it read again") {
  const auto heard = park(with_cursor(id(4)));
  SUBCASE("it skips one") { rung(ring(id(6))); }
  SUBCASE("it carries none") { rung(bell()); }
  SUBCASE("it has expired") { rung(ring(id(5), clock.wall_ms())); }
  SUBCASE("it is of another epoch") { rung(ring({kEpoch + 1, 5})); }
  CHECK(heard->count() == 0);
  REQUIRE(store.reads.size() == 1);
  CHECK(store.reads.front().after == id(4));
  answer_read(one(id(6)));
  CHECK(reason_of(heard) == "messages");
}

TEST_CASE_FIXTURE(FakeWaiting, "a message that has not yet expired is carried by its ring") {
  const auto heard = park(with_cursor(id(4)));
  rung(ring(id(5), clock.wall_ms() + 1));
  CHECK(reason_of(heard) == "messages");
}

TEST_CASE_FIXTURE(FakeWaiting, "a ring for what the client has is ignored") {
  const auto heard = park(with_cursor(id(4)));
  rung(ring(id(4)));
  rung(ring(id(3)));
  CHECK(heard->count() == 0);
  CHECK(store.reads.empty());
  CHECK(room.size() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "the first message of all answers a poll that waits from the beginning") {
  const auto heard = park(with_cursor({}));
  SUBCASE("without a read, if it is the first") {
    rung(ring(id(1)));
    CHECK(field(answer_of(heard), "cursor") == id(1).text());
  }
  SUBCASE("by a read, if it is not") {
    rung(ring(id(2)));
    CHECK(heard->count() == 0);
    CHECK(store.reads.size() == 1);
  }
}

TEST_CASE_FIXTURE(FakeWaiting, "a ring without a poll does nothing: its message is in the list") {
  rung(ring(id(5)));
  rung(bell(), "bob");
  CHECK(room.mailboxes() == 0);
  CHECK(store.reads.empty());
  CHECK(store.notes.empty());
}

TEST_CASE_FIXTURE(FakeWaiting, "rings that come out of order lose no message") {
  const auto heard = park(with_cursor(id(4)));
  rung(ring(id(6)));
  CHECK(heard->count() == 0);
  REQUIRE(store.reads.size() == 1);
  rung(ring(id(5)));
  SUBCASE("by a read that finds them") {
    answer_read(one(id(6)));
    CHECK(field(answer_of(heard), "cursor") == id(6).text());
  }
  SUBCASE("by a second read, if the first came too early") {
    answer_read(nothing_after(id(4)));
    REQUIRE(store.reads.size() == 1);
    answer_read(one(id(6)));
    CHECK(heard->count() == 1);
  }
  CHECK(store.reads.empty());
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a ring for an older message than the newest makes no poll park in vain") {
  park(with_cursor(id(4)));
  rung(ring(id(5)));
  rung(ring(id(7)));
  rung(ring(id(6)));
  enter(with_cursor(id(6)));
  CHECK(store.reads.size() == 1);
  enter(with_cursor(id(7), "tab"));
  CHECK(room.parked() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting, "a ring makes no mailbox current") {
  park(with_cursor(id(4)));
  room.missed_rings(desk, {"alice"});
  rung(ring(id(5)));
  enter(with_cursor(id(5), "tab"));
  CHECK(store.reads.size() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll that only looks lets no other park without asking") {
  enter(only_looking(with_cursor(id(4))));
  answer_read(nothing_after(id(4)));
  enter(with_cursor(id(4), "tab"));
  CHECK(store.reads.size() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting, "a message that rings twice is given once") {
  const auto heard = park(with_cursor(id(4)));
  rung(ring(id(5)));
  CHECK(heard->count() == 1);
  const auto next = enter(with_cursor(id(5)));
  rung(ring(id(5)));
  CHECK(next->count() == 0);
  CHECK(store.reads.empty());
}

// --- up to date --------------------------------------------------------------------------------

TEST_CASE_FIXTURE(
    FakeWaiting,
    "an up-to-date client is parked without asking, its acknowledgement is written later") {
  park(with_cursor(id(4), "tab"));
  rung(ring(id(5)));
  clock.pass(10);
  const auto heard = enter(with_cursor(id(5), "tab"));
  const uint64_t until = wall_in(25'000);
  CHECK(store.reads.empty());
  CHECK(heard->count() == 0);
  CHECK(store.notes.empty());
  CHECK(store.acks.empty());
  tick_after(kNoteDelay);
  REQUIRE(store.acks.size() == 1);
  const auto& ack = store.acks.front();
  CHECK(ack.user == "alice");
  CHECK(ack.client == "tab");
  CHECK(ack.after == id(5));
  CHECK(ack.park_until == until);
  rung(ring(id(6)));
  CHECK(field(answer_of(heard), "messages") == message(id(6)));
}

TEST_CASE_FIXTURE(FakeWaiting, "a full note is written of an up-to-date client") {
  park(with_cursor(id(4), "tab"));
  Question question = with_cursor(id(5), "tab");
  std::string announced = ring(id(5));
  SUBCASE("if it is new") { question.client = "phone"; }
  SUBCASE("if the message that it acknowledges was long") {
    announced = "\x01" + id(5).text() + " " +
                make_element("mail", '"' + std::string(1024, 'x') + '"', 5, 0);
  }
  SUBCASE("a minute after the last full note") { question.timeout_ms += 60'000 + 1; }
  rung(announced);
  store.notes.clear();
  enter(question);
  CHECK(store.acks.empty());
  CHECK(store.reads.empty());
  REQUIRE(store.notes.size() == 1);
  const auto& note = store.notes.front();
  CHECK(note.client == question.client);
  CHECK(note.after == id(5));
  CHECK(note.park_until == wall_in(question.timeout_ms));
  CHECK(note.watch_until == wall_in(question.timeout_ms + 5'000 + 1'000 + 60'000));
  // And then no more.
  rung(ring(id(6)));
  question.after = id(6);
  enter(question);
  tick_after(kNoteDelay);
  CHECK(std::count_if(store.notes.begin(), store.notes.end(),
                      [&](const auto& written) { return written.client == question.client; }) == 1);
  CHECK(store.acks.size() == 1);
}

TEST_CASE_FIXTURE(
    FakeWaiting,
    "an acknowledgement of a client that the store does not know is followed by a look at it") {
  park(with_cursor(id(4)));
  rung(ring(id(5)));
  enter(with_cursor(id(5)));
  tick_after(kNoteDelay);
  REQUIRE(store.acks.size() == 1);
  SUBCASE("it does") {
    store.acks.front().then(true);
    CHECK(store.notes.empty());
  }
  SUBCASE("it does not") {
    store.acks.front().then(false);
    CHECK(store.peeks.size() == 1);
    CHECK(store.notes.empty());
  }
  CHECK(store.reads.empty());
}

TEST_CASE_FIXTURE(
    FakeWaiting,
    "a late acknowledgement that the store does not know undoes no read, but repeats it") {
  park(with_cursor(id(4)));
  rung(ring(id(5)));
  enter(with_cursor(id(5)));
  tick_after(kNoteDelay);
  REQUIRE(store.acks.size() == 1);
  const auto newer = enter(with_cursor(id(4)));
  REQUIRE(store.reads.size() == 1);
  store.acks.front().then(false);
  CHECK(store.notes.empty());
  answer_read(nothing_after(id(5)));
  REQUIRE(store.reads.size() == 1);
  CHECK(store.reads.front().park_until == wall_in(25'000));
  CHECK(store.reads.front().watch_until > 0);
  answer_read(nothing_after(id(5)));
  CHECK(newer->count() == 0);
  CHECK(room.parked() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting, "a read, too, tells which message is the newest") {
  park(with_cursor(id(4), "tab"));
  enter(with_cursor(id(4), "phone"));
  CHECK(store.reads.empty());
  CHECK(store.notes.size() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting, "a client asks the store") {
  park(with_cursor(id(4), "other"));
  Question question = with_cursor(id(4));
  SUBCASE("if it is not up to date") { question.after = id(3); }
  SUBCASE("if its cursor is ahead of the newest message") { question.after = id(5); }
  SUBCASE("if it only looks") { question = only_looking(question); }
  SUBCASE("if it has no cursor") { question = without_cursor(); }
  SUBCASE("if its cursor is foreign") { question = with_foreign_cursor(); }
  SUBCASE("after a bell") {
    rung(bell());
    store.reads.clear();
  }
  SUBCASE("after rings that were not heard") {
    room.missed_rings(desk, {"alice"});
    store.reads.clear();
  }
  SUBCASE("after a note that may not have arrived") {
    enter(question);
    answer_note(away());
  }
  SUBCASE("after an acknowledgement that may not have arrived") {
    question.client = "other";
    enter(question);
    tick_after(kNoteDelay);
    store.acks.front().then(away());
  }
  SUBCASE("if a ring came during a read") {
    enter(with_cursor(id(3), "third"));
    rung(bell());
    store.reads.erase(store.reads.begin() + 1);
    answer_read(one(id(4)));
  }
  enter(question);
  CHECK(store.reads.size() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "an older ring that comes late does not make an older message the newest") {
  park(with_cursor(id(6), "tab"));
  rung(ring(id(7)));
  rung(ring(id(6)));  // by a lane that had the mailbox before
  enter(with_cursor(id(6), "phone"));
  CHECK(store.reads.size() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting, "a note that arrived changes nothing") {
  park(with_cursor(id(4), "other"));
  rung(ring(id(5)));
  enter(with_cursor(id(5)));
  answer_note(nothing_after(id(5)));
  rung(ring(id(6)));
  enter(with_cursor(id(6)));
  CHECK(store.reads.empty());
}

// --- without a cursor --------------------------------------------------------------------------

TEST_CASE_FIXTURE(FakeWaiting, "a client without a cursor uses the store's, each time") {
  const auto first = enter(without_cursor());
  CHECK_FALSE(store.reads.front().after);
  answer_read(nothing_after(id(4)));
  rung(ring(id(5)));
  CHECK(first->count() == 0);
  REQUIRE(store.reads.size() == 1);
  CHECK_FALSE(store.reads.front().after);
  answer_read(one(id(5)));
  CHECK(field(answer_of(first), "messages") == message(id(5)));
  enter(without_cursor());
  CHECK(store.notes.empty());
  CHECK(store.reads.size() == 1);
}

// --- time --------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(FakeWaiting, "a parked poll times out on the dot") {
  const auto heard = park(with_cursor(id(4)));
  CHECK(tick_after(24'999) == 1);
  CHECK(heard->count() == 0);
  tick_after(1);
  CHECK(reason_of(heard) == "timeout");
  CHECK(field(answer_of(heard), "messages") == "");
  CHECK(field(answer_of(heard), "cursor") == id(4).text());
  CHECK(retry_of(heard) >= 1);
  CHECK(retry_of(heard) <= 250);
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll whose time is up during its read is not parked") {
  const auto heard = enter(with_cursor(id(4)));
  tick_after(25'000);
  CHECK(heard->count() == 0);
  answer_read(nothing_after(id(4)));
  CHECK(reason_of(heard) == "timeout");
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "tick returns when it must be called again: at the next deadline, or never") {
  CHECK(tick_after(0) == kNever);
  Question question = with_cursor(id(4), "long");
  question.timeout_ms = 50'000;
  park(question);
  CHECK(tick_after(0) == 50'000);
  park(with_cursor(id(4), "short"));
  CHECK(tick_after(0) == 25'000);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "the ticker is woken for a deadline that is nearer than the next one") {
  park(with_cursor(id(4), "first"));
  CHECK(wakes == 1);
  room.tick(desk);
  Question question = with_cursor(id(3), "longer");
  question.timeout_ms = 50'000;
  enter(question);
  answer_read(nothing_after(id(4)));
  CHECK(wakes == 1);
  question.client = "shorter";
  question.timeout_ms = 1000;
  enter(question);
  answer_read(nothing_after(id(4)));
  CHECK(wakes == 2);
}

// --- the store is away -------------------------------------------------------------------------

TEST_CASE_FIXTURE(FakeWaiting, "a new poll is refused while the store is away") {
  const auto heard = enter(with_cursor(id(4)));
  answer_read(away());
  CHECK(heard->answers.empty());
  REQUIRE(heard->refusals.size() == 1);
  CHECK(heard->refusals.front() == away());
  CHECK(room.size() == 0);
  CHECK(room.ended(Reason::error) == 1);
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll that was parked stays so, and reads again") {
  const auto heard = park(with_cursor(id(4)));
  rung(bell());
  answer_read(away());
  CHECK(heard->count() == 0);
  CHECK(room.size() == 1);
  CHECK(store.reads.empty());
  clock.pass(600);
  run_timers();
  REQUIRE(store.reads.size() == 1);
  answer_read(one(id(5)));
  CHECK(reason_of(heard) == "messages");
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll that was answered since does not read again") {
  const auto heard = park(with_cursor(id(4)));
  rung(bell());
  answer_read(away());
  rung(ring(id(5)));
  CHECK(reason_of(heard) == "messages");
  clock.pass(600);
  run_timers();
  CHECK(store.reads.empty());
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll that stays while the store is away times out on the dot") {
  const auto heard = park(with_cursor(id(4)));
  rung(bell());
  CHECK(tick_after(24'900) == kNever);  // its read is under way
  SUBCASE("if the read fails before") {
    const size_t before = wakes;
    answer_read(away());
    CHECK(wakes == before + 1);
    CHECK(tick_after(0) == 100);
    tick_after(100);
  }
  SUBCASE("if the read fails after") {
    tick_after(100);
    answer_read(away());
    room.tick(desk);
  }
  CHECK(reason_of(heard) == "timeout");
}

// --- raw elements ------------------------------------------------------------------------------

TEST_CASE_FIXTURE(FakeWaiting, "a raw element is adopted if any client waits") {
  const auto heard = park(with_cursor(id(4)));
  rung("a word by hand");
  rung("another", "bob");
  CHECK(heard->count() == 0);
  REQUIRE(store.adoptions.size() == 2);
  CHECK(store.adoptions[0].user == "alice");
  CHECK(store.adoptions[0].raw == "a word by hand");
  CHECK(store.adoptions[1].user == "bob");
}

TEST_CASE_FIXTURE(FakeWaiting, "adopting a raw element is tried again later if the store is away") {
  rung(std::string("\x01\xFF\0", 3));
  auto adoption = std::move(store.adoptions.front());
  store.adoptions.pop_front();
  adoption.then(away());
  CHECK(store.adoptions.empty());
  clock.pass(300);
  run_timers();
  REQUIRE(store.adoptions.size() == 1);
  CHECK(store.adoptions.front().user == "alice");
  CHECK(store.adoptions.front().raw == std::string("\x01\xFF\0", 3));
  store.adoptions.front().then(Pushed{id(5), 1, false});
  CHECK(store.adoptions.size() == 1);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a raw element that its mailbox refuses is tried less and less often") {
  std::vector<uint64_t> waits{300, 600, 1200, 2400, 4800, 9600, 10'000, 10'000};
  std::reverse(waits.begin(), waits.end());
  rung("a word by hand");
  const std::function<void()> refuse = [&] {
    REQUIRE(store.adoptions.size() == 1);
    CHECK(store.adoptions.front().raw == "a word by hand");
    if (waits.empty()) return loop.stop();
    auto adoption = std::move(store.adoptions.front());
    store.adoptions.pop_front();
    adoption.then(broken_data("base:{alice} can't be read"));
    clock.pass(waits.back() - 1);
    waits.pop_back();
    loop.at(clock.steady_ms(), [&] {
      CHECK(store.adoptions.empty());
      clock.pass(1);
      loop.at(clock.steady_ms(), refuse);
    });
  };
  loop.post(refuse);
  loop.run();
  CHECK(waits.empty());
}

TEST_CASE_FIXTURE(FakeWaiting, "a parked poll of a broken mailbox is told so") {
  const auto heard = park(with_cursor(id(4)));
  rung(bell());
  answer_read(broken_data("base:{alice} can't be read"));
  REQUIRE(heard->refusals.size() == 1);
  CHECK(heard->refusals.front().code == Code::broken_data);
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "raw elements that a read sees are adopted, then it reads again") {
  const auto heard = enter(with_cursor(id(4)));
  Reading reading = nothing_after(id(4));
  reading.raw = true;
  answer_read(reading);
  CHECK(heard->count() == 0);
  REQUIRE(store.adoptions_of_all.size() == 1);
  CHECK(store.adoptions_of_all.front().user == "alice");
  store.adoptions_of_all.front().then(true);
  answer_read(one(id(5)));
  CHECK(reason_of(heard) == "messages");
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "raw elements are left alone while there are messages to answer with") {
  const auto heard = enter(with_cursor(id(4)));
  Reading reading = one(id(5));
  reading.raw = true;
  answer_read(reading);
  CHECK(reason_of(heard) == "messages");
  CHECK(store.adoptions_of_all.empty());
}

TEST_CASE_FIXTURE(FakeWaiting, "a new poll is refused if raw elements can't be adopted") {
  const auto heard = enter(with_cursor(id(4)));
  Reading reading = nothing_after(id(4));
  reading.raw = true;
  answer_read(reading);
  store.adoptions_of_all.front().then(away());
  CHECK(heard->refusals.size() == 1);
}

// --- gone --------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(FakeWaiting,
                  "a client that goes while parked leaves the room, and is noted as away") {
  const auto heard = park(with_cursor(id(4), "tab"));
  heard->leave();
  CHECK(room.size() == 0);
  CHECK(room.ended(Reason::gone) == 1);
  REQUIRE(store.notes.size() == 1);
  CHECK(store.notes.front().client == "tab");
  CHECK(store.notes.front().after == id(4));
  CHECK(store.notes.front().park_until == 0);
  CHECK(store.notes.front().watch_until == 0);
  CHECK(tick_after(0) == kNever);
  CHECK(heard->count() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "a client that goes during its read is not answered") {
  const auto heard = enter(with_cursor(id(4)));
  heard->leave();
  CHECK(room.size() == 0);
  Or<Reading> found = nothing_after(id(4));
  SUBCASE("if nothing is found") {}
  SUBCASE("if a message is found") { found = one(id(5)); }
  SUBCASE("if the store is away") { found = away(); }
  answer_read(found);
  CHECK(heard->count() == 0);
  CHECK(room.size() == 0);
  CHECK(bells.size() == 0);
  CHECK(room.ended(Reason::gone) == 1);
}

TEST_CASE_FIXTURE(FakeWaiting,
                  "a client that goes while raw elements are adopted costs no further read") {
  const auto heard = enter(with_cursor(id(4)));
  Reading reading = nothing_after(id(4));
  reading.raw = true;
  answer_read(reading);
  heard->leave();
  store.adoptions_of_all.front().then(true);
  CHECK(store.reads.empty());
  CHECK(heard->count() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll whose client had gone before it came in does not wait") {
  const auto heard = std::make_shared<Heard>();
  heard->here = false;
  room.enter(desk, with_cursor(id(4)), std::make_shared<FakeReplyTo>(heard));
  CHECK(room.size() == 0);
  CHECK(room.ended(Reason::gone) == 1);
  answer_read(nothing_after(id(4)));
  CHECK(bells.size() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "the user's other clients wait on when one goes") {
  const auto tab = park(with_cursor(id(4), "tab"));
  const auto phone = park(with_cursor(id(4), "phone"));
  tab->leave();
  CHECK(bells.watches("alice"));
  CHECK(store.notes.back().watch_until == wall_in(25'000 + 5'000 + 1'000 + 60'000));
  rung(ring(id(5)));
  CHECK(reason_of(phone) == "messages");
}

// --- closing -----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(FakeWaiting, "closing answers every poll with shutdown") {
  const auto parked = park(with_cursor(id(4), "parked"));
  const auto superseded = park(with_cursor(id(4), "fought over"));
  const auto newer = park(with_cursor(id(4), "fought over"));
  const auto reading = enter(with_cursor(id(3), "reading"));
  const auto finding = enter(with_cursor(id(3), "finding"));
  store.notes.clear();
  room.close(desk);
  CHECK(reason_of(parked) == "shutdown");
  CHECK(reason_of(superseded) == "shutdown");
  CHECK(reason_of(newer) == "shutdown");
  CHECK(retry_of(parked) >= 100);
  CHECK(retry_of(parked) <= 400);
  answer_read(nothing_after(id(4)));
  answer_read(one(id(4)));
  CHECK(reason_of(reading) == "shutdown");
  CHECK(reason_of(finding) == "messages");
  CHECK(room.size() == 0);
  // A client that was parked is noted as away, and the mailbox as unwatched.
  CHECK(store.notes.size() == 2);
  for (const auto& note : store.notes) {
    CHECK(note.park_until == 0);
    CHECK(note.watch_until == 0);
  }
}

TEST_CASE_FIXTURE(FakeWaiting, "a poll that comes in after closing is answered with shutdown") {
  room.close(desk);
  const auto heard = enter(with_cursor(id(4)));
  CHECK(reason_of(heard) == "shutdown");
  CHECK(field(answer_of(heard), "cursor") == id(4).text());
  CHECK(store.reads.empty());
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "after closing no mailbox is noted as watched any more") {
  park(with_cursor(id(4)));
  room.close(desk);
  tick_after(500);
  for (const auto& note : store.notes) CHECK(note.watch_until == 0);
}

TEST_CASE_FIXTURE(FakeWaiting, "a read that fails after closing refuses its poll") {
  const auto heard = park(with_cursor(id(4)));
  rung(bell());
  room.close(desk);
  answer_read(away());
  CHECK(heard->refusals.size() == 1);
  CHECK(room.size() == 0);
}

// --- counters ----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(FakeWaiting, "each poll that came in is counted under one reason") {
  park(with_cursor(id(4), "messages"));
  rung(ring(id(5)));
  enter(only_looking(with_cursor(id(5), "timeout")));
  answer_read(nothing_after(id(5)));
  enter(with_cursor(id(4), "error"));
  answer_read(away());
  park(with_cursor(id(5), "gone"))->leave();
  rung(bell());  // or they would be parked without a read
  enter(with_cursor(id(4), "superseded"));
  const auto last = enter(with_cursor(id(4), "superseded"));
  answer_read(nothing_after(id(5)));
  answer_read(nothing_after(id(5)));
  room.close(desk);
  CHECK(room.ended(Reason::messages) == 1);
  CHECK(room.ended(Reason::timeout) == 1);
  CHECK(room.ended(Reason::error) == 1);
  CHECK(room.ended(Reason::gone) == 1);
  CHECK(room.ended(Reason::superseded) == 1);
  CHECK(room.ended(Reason::shutdown) == 1);
  CHECK(room.ended(Reason::kicked) == 0);
}

}  // namespace
}  // namespace letterbox::test
