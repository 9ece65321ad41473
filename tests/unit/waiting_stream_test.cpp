// SPDX-License-Identifier: MIT
//
// Streams in the waiting room: polls that stay.
#include <doctest/doctest.h>

#include <string>

#include "tests/unit/fake_waiting.h"

namespace letterbox::test {
namespace {

Question stream_from(const Cursor& after, std::string client = "") {
  Question question = with_cursor(after, std::move(client));
  question.stream = true;
  question.timeout_ms = 300'000;
  return question;
}

struct Streaming : FakeWaiting {
  // An open stream that was written to once: that it is open.
  std::shared_ptr<Heard> stand(Question question) {
    const auto heard = park(std::move(question));
    REQUIRE(heard->written.size() == 1);
    heard->written.clear();
    return heard;
  }
  Cursor asked_after() { return store.reads.front().after.value(); }
};

// The SEQs of what was written, in order.
std::string seqs(const std::shared_ptr<Heard>& heard) {
  std::string all;
  for (const auto& portion : heard->written) {
    for (size_t at = portion.find(R"("id":")"); at != std::string::npos;
         at = portion.find(R"("id":")", at + 1)) {
      const size_t dash = portion.find('-', at);
      all += portion.substr(dash + 1, portion.find('"', dash) - dash - 1) + ' ';
    }
  }
  return all;
}

TEST_CASE_FIXTURE(Streaming, "a stream that has everything is told that it is open, and stays") {
  const auto heard = enter(stream_from(id(4)));
  CHECK(heard->written.empty());
  answer_read(nothing_after(id(4)));
  REQUIRE(heard->written.size() == 1);
  CHECK(field(heard->written.front(), "count") == "0");
  CHECK(room.parked() == 1);
  CHECK(room.streams() == 1);
  CHECK(heard->count() == 0);
}

TEST_CASE_FIXTURE(Streaming, "each message that rings is written, in order, and nothing is read") {
  const auto heard = stand(stream_from(id(4)));
  for (uint64_t seq = 5; seq < 10; ++seq) rung(ring(id(seq)));
  CHECK(seqs(heard) == "5 6 7 8 9 ");
  CHECK(store.reads.empty());
  CHECK(room.delivered().messages.value() == 5);
  rung(ring(id(7)));  // again
  CHECK(seqs(heard) == "5 6 7 8 9 ");
}

TEST_CASE_FIXTURE(Streaming,
                  "a gap in the rings costs a read, and only what the client has is acknowledged") {
  const auto heard = stand(stream_from(id(4)));
  rung(ring(id(5)));
  rung(ring(id(7)));
  REQUIRE(store.reads.size() == 1);
  CHECK(asked_after() == id(5));
  CHECK(store.reads.front().acknowledged == id(4));
  Reading reading = one(id(7));
  reading.messages = {{id(6), kBody}, {id(7), kBody}};
  answer_read(reading);
  CHECK(seqs(heard) == "5 6 7 ");
  CHECK(room.parked() == 1);
  CHECK(store.reads.empty());
}

TEST_CASE_FIXTURE(Streaming,
                  "a message that rings while another worker writes is written after that") {
  const auto heard = stand(stream_from(id(4)));
  heard->meanwhile = [&] {
    rung(ring(id(6)));
    rung(ring(id(7)));
  };
  rung(ring(id(5)));
  CHECK(seqs(heard) == "5 6 7 ");
  CHECK(store.reads.empty());
}

TEST_CASE_FIXTURE(Streaming, "an end that comes during a write is written after it") {
  const auto heard = stand(stream_from(id(4)));
  heard->meanwhile = [&] {
    rung(ring(id(6)));
    room.close(desk);
  };
  rung(ring(id(5)));
  CHECK(seqs(heard) == "5 6 ");
  CHECK(reason_of(heard) == "shutdown");
  CHECK(room.size() == 0);
  CHECK(room.streams() == 0);
}

TEST_CASE_FIXTURE(Streaming, "a refusal that comes during a write is written after it") {
  const auto heard = stand(stream_from(id(4)));
  heard->meanwhile = [&] {
    rung(ring(id(7)));
    answer_read(Error{Code::broken_data, "broken", 0});
  };
  rung(ring(id(5)));
  CHECK(seqs(heard) == "5 ");
  REQUIRE(heard->refusals.size() == 1);
  CHECK(heard->refusals.front().code == Code::broken_data);
}

TEST_CASE_FIXTURE(Streaming, "more is read only when the client has taken what was written") {
  const auto heard = enter(stream_from(id(0)));
  heard->taken = ReplyTo::Taken::too_little;
  Reading reading = one(id(9));
  reading.messages = {{id(1), kBody}, {id(2), kBody}};
  reading.cursor = id(2);
  answer_read(reading);
  CHECK(seqs(heard) == "1 2 ");
  CHECK(store.reads.empty());
  CHECK(heard->count() == 0);  // so little is not the client's fault
  rung(ring(id(10)));
  CHECK(store.reads.empty());
  heard->take_all();
  REQUIRE(store.reads.size() == 1);
  CHECK(asked_after() == id(2));
  CHECK(store.reads.front().acknowledged == id(0));
  reading.messages = {{id(3), kBody}};
  reading.cursor = reading.newest = id(3);
  answer_read(reading);
  CHECK(seqs(heard) == "1 2 3 ");
}

TEST_CASE_FIXTURE(Streaming, "a stream whose client takes too little ends as slow") {
  const auto heard = stand(stream_from(id(4)));
  heard->taken = ReplyTo::Taken::in_part;
  rung(ring(id(5)));
  CHECK(heard->count() == 0);
  heard->taken = ReplyTo::Taken::too_little;
  rung(ring(id(6)));
  CHECK(seqs(heard) == "5 6 ");
  CHECK(reason_of(heard) == "slow");
  CHECK(retry_of(heard) >= 1000);
  CHECK(room.ended(Reason::slow) == 1);
}

TEST_CASE_FIXTURE(Streaming, "a stream that was given hundreds of messages ends") {
  const auto heard = stand(stream_from(id(0)));
  uint64_t seq = 0;
  while (heard->answers.empty() && seq < 1000) rung(ring(id(++seq)));
  CHECK(seq == 500);
  CHECK(reason_of(heard) == "timeout");
  CHECK(field(answer_of(heard), "cursor") == id(500).text());
  CHECK(retry_of(heard) == 0);  // messages wait for the client
}

TEST_CASE_FIXTURE(Streaming,
                  "a stream that has given that many is not told that its token has ended") {
  Question question = stream_from(id(0));
  question.outlives_admission = true;
  const auto heard = enter(question);
  Reading reading = one(id(600));
  reading.messages.clear();
  for (uint64_t seq = 1; seq <= 500; ++seq) reading.messages.push_back({id(seq), kBody});
  reading.cursor = id(500);
  answer_read(reading);
  CHECK(reason_of(heard) == "timeout");
}

TEST_CASE_FIXTURE(Streaming, "a stream ends when its time is up, also while its client is slow") {
  bool slow = false;
  SUBCASE("parked") {}
  SUBCASE("slow") { slow = true; }
  const auto heard = slow ? enter(stream_from(id(0))) : stand(stream_from(id(4)));
  if (slow) {
    heard->taken = ReplyTo::Taken::in_part;
    answer_read(one(id(1)));
  }
  CHECK(tick_after(300'000) != 0);
  CHECK(reason_of(heard) == "timeout");
}

TEST_CASE_FIXTURE(Streaming, "a missed count and a reset are told once") {
  Question question = stream_from({});
  question.foreign = true;
  const auto heard = enter(question);
  CHECK(store.reads.front().foreign);
  CHECK(store.reads.front().acknowledged == Cursor{});
  Reading reading = one(id(5));
  reading.reset = true;
  reading.missed = 3;
  answer_read(reading);
  REQUIRE(heard->written.size() == 1);
  CHECK(field(heard->written.front(), "reset") == "true");
  CHECK(field(heard->written.front(), "missed") == "3");
  rung(ring(id(7)));
  CHECK_FALSE(store.reads.front().foreign);
  answer_read(one(id(7)));
  REQUIRE(heard->written.size() == 2);
  CHECK(field(heard->written.back(), "reset") == "false");
  CHECK(field(heard->written.back(), "missed") == "0");
}

TEST_CASE_FIXTURE(Streaming, "a stream and a poll of one client supersede each other") {
  const auto first = stand(stream_from(id(4)));
  clock.pass(2000);
  const auto poll = enter(with_cursor(id(4)));
  CHECK(reason_of(first) == "superseded");
  CHECK(retry_of(first) >= 1000);
  clock.pass(2000);
  const auto second = enter(stream_from(id(4)));
  CHECK(reason_of(poll) == "superseded");
  CHECK(room.size() == 1);
}

TEST_CASE_FIXTURE(Streaming, "a stream whose client is slow is superseded at once") {
  const auto first = enter(stream_from(id(0)));
  first->taken = ReplyTo::Taken::in_part;
  answer_read(one(id(1)));
  enter(stream_from(id(1)));
  CHECK(reason_of(first) == "superseded");
  first->take_all();  // too late
  CHECK(first->count() == 1);
}

TEST_CASE_FIXTURE(Streaming,
                  "a stream that is superseded during its read gives way to the newer one") {
  const auto first = enter(stream_from(id(4)));
  const auto second = enter(stream_from(id(4)));
  answer_read(one(id(5)));
  CHECK(first->written.empty());
  CHECK(reason_of(first) == "superseded");
  answer_read(one(id(5)));
  CHECK(seqs(second) == "5 ");
}

TEST_CASE_FIXTURE(Streaming, "an open stream outlives an outage of the store") {
  const auto heard = stand(stream_from(id(4)));
  rung(bell());
  answer_read(away());
  CHECK(heard->count() == 0);
  CHECK(room.parked() == 1);
}

TEST_CASE_FIXTURE(Streaming, "so does a stream that was written to and is not parked yet") {
  const auto heard = enter(stream_from(id(0)));
  Reading reading = one(id(1));
  reading.newest = id(2);
  answer_read(reading);
  answer_read(away());
  CHECK(heard->count() == 0);
  CHECK(room.parked() == 1);
}

TEST_CASE_FIXTURE(Streaming, "a new stream is refused while the store is away") {
  const auto heard = enter(stream_from(id(0)));
  answer_read(away());
  REQUIRE(heard->refusals.size() == 1);
  CHECK(heard->written.empty());
}

TEST_CASE("a stream for which there is no place is refused after the messages that were there") {
  FakeWaiting waiting({.parked = 1});
  waiting.park(with_cursor(id(0), "other"));
  const auto heard = waiting.enter(stream_from(id(0)));
  waiting.answer_read(one(id(1)));
  CHECK(seqs(heard) == "1 ");
  REQUIRE(heard->refusals.size() == 1);
  CHECK(heard->refusals.front().code == Code::overloaded);
}

TEST_CASE_FIXTURE(Streaming, "an acknowledgement during a stream is noted, and never goes back") {
  stand(stream_from(id(4), "tab"));
  rung(ring(id(5)));
  rung(ring(id(6)));
  int told = 0;
  const auto then = [&](const Or<bool>& outcome) { told += outcome ? 1 : 0; };
  room.acknowledge(desk, "alice", "tab", id(5), then);
  REQUIRE(store.notes.size() == 1);
  CHECK(store.notes.front().after == id(5));
  CHECK(store.notes.front().park_until == wall_in(300'000));
  CHECK(told == 0);
  answer_note(Reading{});
  CHECK(told == 1);
  // Cursors from the past, and from the future.
  for (const Cursor& other : {id(4), id(9)}) {
    room.acknowledge(desk, "alice", "tab", other, then);
    CHECK(store.notes.front().after == id(5));
    answer_note(Reading{});
  }
  rung(ring(id(8)));
  CHECK(store.reads.front().acknowledged == id(5));
}

TEST_CASE_FIXTURE(Streaming, "an acknowledgement of a client that is not here goes to the store") {
  bool failed = false;
  room.acknowledge(desk, "alice", "tab", id(5),
                   [&](const Or<bool>& outcome) { failed = !outcome; });
  REQUIRE(store.notes.size() == 1);
  CHECK(store.notes.front().client == "tab");
  CHECK(store.notes.front().after == id(5));
  CHECK(store.notes.front().park_until == 0);
  answer_note(away());
  CHECK(failed);
}

TEST_CASE_FIXTURE(Streaming, "a client that goes away is forgotten, also during a write") {
  const auto heard = stand(stream_from(id(4)));
  heard->meanwhile = [&] { heard->leave(); };
  rung(ring(id(5)));
  CHECK(room.size() == 0);
  CHECK(room.mailboxes() == 0);
  CHECK(room.ended(Reason::gone) == 1);
}

}  // namespace
}  // namespace letterbox::test
