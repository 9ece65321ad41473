// SPDX-License-Identifier: MIT
//
// Mailboxes in a Redis that holds nothing else, with a clock in the test's hands.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mailbox/keys.h"
#include "mailbox/redis_store.h"
#include "tests/redis/print.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/redis_worker.h"
#include "tests/unit/fake_clock.h"

namespace letterbox::test {

// Limits so small that a test can reach them.
inline MailboxLimits small_limits() {
  MailboxLimits limits;
  limits.messages_kept = 40;
  limits.life_ms = 1'000'000;
  limits.client_life_ms = 100'000;
  limits.answer_bytes = 4'000;
  limits.ring_bytes = 500;
  return limits;
}

// The SEQs of the messages in a reading.
inline std::vector<uint64_t> seqs(const ReadText& reading) {
  std::vector<uint64_t> found;
  constexpr std::string_view kId = R"({"id":")";
  for (size_t at = reading.messages.find(kId); at != std::string::npos;
       at = reading.messages.find(kId, at)) {
    at += kId.size();
    const auto id = Cursor::parse(reading.messages.substr(at, reading.messages.find('"', at) - at));
    REQUIRE(id);
    CHECK(*id <= reading.cursor);
    found.push_back(id->seq);
  }
  CHECK(found.size() == reading.count);
  return found;
}

using Seqs = std::vector<uint64_t>;

struct Mailboxes {
  Mailboxes() {
    REQUIRE(worker.comes_up());
    REQUIRE(worker.ask({"FLUSHALL"}).ok());
    epoch = clock.wall_ms();
  }

  // Calls that must not fail here.
  Pushed push(std::string_view data = "1", uint64_t expires = 0) {
    const auto pushed = worker.push("alice", data, expires);
    REQUIRE(pushed);
    return *pushed;
  }
  void push_many(int count) {
    for (int i = 0; i < count; ++i) push();
  }
  ReadText read(const Ask& ask) {
    auto reading = worker.read(ask);
    REQUIRE(reading);
    return *std::move(reading);
  }
  ReadText read_after(uint64_t seq, std::string client = "") {
    return read({.client = std::move(client), .after = id(seq)});
  }
  ReadText consume(std::string client = "") { return read({.client = std::move(client)}); }
  MailboxView view() {
    auto found = worker.view("alice");
    REQUIRE(found);
    return *std::move(found);
  }

  Cursor id(uint64_t seq) const { return {epoch, seq}; }
  uint64_t in(uint64_t ms) const { return clock.wall_ms() + ms; }

  // The elements of the list.
  std::vector<std::string> list() {
    return worker.ask({"LRANGE", keys.mailbox, "0", "-1"}).texts();
  }

  RedisServer& server = RedisServer::shared();
  FakeClock clock;
  RedisWorker worker{server.login(), clock, small_limits()};
  const MailboxKeys keys{"alice"};
  uint64_t epoch = 0;
};

}  // namespace letterbox::test
