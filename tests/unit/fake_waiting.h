// SPDX-License-Identifier: MIT
//
// A waiting room whose surroundings are all in the hands of the test: time, store, bells, clients.
// For one thread.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/loop.h"
#include "model/message.h"
#include "tests/unit/fake_bells.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_reply_to.h"
#include "tests/unit/fake_store.h"
#include "waiting/room.h"

namespace letterbox::test {

inline constexpr uint64_t kEpoch = 1'795'000'000'000;

// The id of a message of the mailbox that the tests are about.
inline Cursor id(uint64_t seq) { return {kEpoch, seq}; }

// A question of alice's with that cursor, for 25 seconds; a test may change it.
inline Question with_cursor(const Cursor& after, std::string client = "") {
  Question question;
  question.user = "alice";
  question.client = std::move(client);
  question.by_cursor = true;
  question.after = after;
  question.timeout_ms = 25'000;
  return question;
}

inline Question without_cursor(std::string client = "") {
  Question question = with_cursor({}, std::move(client));
  question.by_cursor = false;
  return question;
}

inline Question with_foreign_cursor() {
  Question question = with_cursor({});
  question.foreign = true;
  return question;
}

inline Question only_looking(Question question) {
  question.timeout_ms = 0;
  return question;
}

// An element that a lane takes out of a list.
inline std::string ring(const Cursor& message, uint64_t expires_ms = 0) {
  return "\x01" + message.text() + " " + make_element("mail", "1", 5, expires_ms);
}
inline std::string bell() { return "\x01*5"; }

// A message, and its form for a client.
inline constexpr std::string_view kBody = R"({"type":"mail","data":1,"time":5})";
inline std::string message(const Cursor& at) {
  std::string text;
  append_message(text, {at, kBody});
  return text;
}

// What a read finds: nothing after the newest message, or one message, the newest.
inline Reading nothing_after(const Cursor& newest) {
  Reading reading;
  reading.cursor = reading.newest = newest;
  return reading;
}
inline Reading one(const Cursor& newest) {
  Reading reading = nothing_after(newest);
  reading.messages.push_back({newest, kBody});
  return reading;
}

struct FakeWaiting {
  explicit FakeWaiting(const RoomLimits& limits = {})
      : room(
            clock, bells, [this] { ++wakes; }, limits) {}

  FakeClock clock;
  Loop loop{clock};
  FakeStore store;
  FakeBells bells;
  size_t wakes = 0;  // calls of the room's `wake`
  Desk desk{loop, store};
  Room room;

  std::shared_ptr<Heard> enter(Question question) {
    auto heard = std::make_shared<Heard>();
    room.enter(desk, std::move(question), std::make_shared<FakeReplyTo>(heard));
    return heard;
  }

  // A client that is not in the room.
  std::shared_ptr<Poll> make_poll(Question question = {}) {
    return std::make_shared<Poll>(room, desk, std::move(question),
                                  std::make_shared<FakeReplyTo>(std::make_shared<Heard>()));
  }

  // Enters and finds nothing. REQUIRES: no other read is under way.
  std::shared_ptr<Heard> park(Question question) {
    const Cursor at = question.after;
    REQUIRE(store.reads.empty());
    auto heard = enter(std::move(question));
    if (!store.reads.empty()) answer_read(nothing_after(at));
    REQUIRE(heard->count() == 0);
    return heard;
  }

  // Answers the oldest read that waits.
  void answer_read(Or<Reading> with) {
    REQUIRE_FALSE(store.reads.empty());
    const auto read = std::move(store.reads.front());
    store.reads.pop_front();
    read.then(std::move(with));
  }
  void answer_note(Or<Reading> with) {
    REQUIRE_FALSE(store.notes.empty());
    const auto note = std::move(store.notes.front());
    store.notes.pop_front();
    note.then(std::move(with));
  }

  void rung(const std::string& element, std::string_view user = "alice") {
    room.found(desk, user, element);
  }

  // Lets time pass and has the room look at the clock. Returns in how many ms it must look again.
  std::optional<uint64_t> tick_after(uint64_t ms) {
    clock.pass(ms);
    const auto next = room.tick(desk);
    return next ? std::optional(*next - clock.steady_ms()) : std::nullopt;
  }
  static constexpr std::nullopt_t kNever = std::nullopt;
  // The ms after which at the latest the store hears that a client has come back.
  static constexpr uint64_t kNoteDelay = 1'100;

  // Fires the timers of the loop that are due. Once a test: a loop that was stopped stays so.
  void run_timers() {
    loop.at(clock.steady_ms(), [this] { loop.stop(); });
    loop.run();
  }

  uint64_t wall_in(uint64_t ms) const { return clock.wall_ms() + ms; }
};

// The only answer that a client got.
inline std::string answer_of(const std::shared_ptr<Heard>& heard) {
  REQUIRE(heard->refusals.empty());
  REQUIRE(heard->answers.size() == 1);
  return heard->answers.front();
}
inline std::string reason_of(const std::shared_ptr<Heard>& heard) {
  return field(answer_of(heard), "reason");
}
inline uint64_t retry_of(const std::shared_ptr<Heard>& heard) {
  return std::stoull(field(answer_of(heard), "retry_after_ms"));
}

}  // namespace letterbox::test
