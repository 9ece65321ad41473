// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "fastcgi/answer.h"
#include "tests/unit/fake_peer.h"

namespace letterbox::test {
namespace {

struct Listener final : PeerListener {
  void gone() override { ++times; }
  int times = 0;
};

TEST_CASE("an answer is sent") {
  FakePeer peer;
  Answer answer = peer.owed();
  CHECK_FALSE(peer.answered());
  answer.send({202, "{}"});
  CHECK(peer.answer().status() == 202);
  CHECK(peer.answer().body == "{}");
  CHECK_FALSE(answer);
}

TEST_CASE("an answer that is forgotten answers 500 by itself") {
  FakePeer peer;
  SUBCASE("if it is dropped") { const Answer answer = peer.owed(); }
  SUBCASE("if another takes its place") {
    Answer answer = peer.owed();
    answer = Answer();
  }
  CHECK(peer.answer().status() == 500);
  CHECK(peer.answer().body ==
        R"({"error":{"code":"internal","message":"the server forgot this request",)"
        R"("terminal":false,"retry_after_ms":0}})"
        "\n");
}

TEST_CASE("an answer is counted by what was sent, and as 499 if its client has left") {
  FakePeer peer;
  const auto counts = std::make_shared<StatusCounts>();
  Answer answer = peer.owed();
  answer.count_in(counts);
  int expected = StatusCounts::kClientLeft;
  SUBCASE("sent") {
    expected = 202;
    answer.send({202, "{}"});
  }
  SUBCASE("forgotten") {
    expected = 500;
    answer = Answer();
  }
  SUBCASE("sent to a client that has left") {
    peer.leave();
    answer.send({202, "{}"});
  }
  SUBCASE("forgotten, since its client has left") {
    peer.leave();
    answer = Answer();
  }
  for (int status = StatusCounts::kFirst; status <= StatusCounts::kLast; ++status) {
    CAPTURE(status);
    CHECK(counts->of(status).value() == (status == expected ? 1 : 0));
  }
}

TEST_CASE("an answer that was moved is owed once") {
  FakePeer peer;
  {
    Answer first = peer.owed();
    Answer second = std::move(first);
    second.send({200, "once"});
  }
  CHECK(peer.answer().body == "once");
}

TEST_CASE("after the answer a client's going away is told to no listener") {
  FakePeer peer;
  const auto listener = std::make_shared<Listener>();
  Answer answer = peer.owed();
  CHECK(answer.when_gone(listener));
  answer.send({200, ""});
  CHECK_FALSE(answer.when_gone(listener));
  CHECK(listener->times == 0);
}

TEST_CASE("an answer that belongs to no request is never sent") {
  Answer answer;
  CHECK_FALSE(answer);
  CHECK_FALSE(answer.when_gone({}));
}

TEST_CASE(
    "an answer in parts has no length, is one exchange until its end, and leaves the connection to "
    "the next") {
  FakePeer peer;
  const auto counts = std::make_shared<StatusCounts>();
  Answer answer = peer.owed();
  answer.count_in(counts);
  answer.begin({.status = 200, .body = "one ", .content_type = "text/event-stream"});
  CHECK(counts->of(200).value() == 1);
  CHECK(peer.answer().body == "one ");
  CHECK(peer.answer().header("Content-Length").empty());
  CHECK(peer.answer().header("Content-Type") == "text/event-stream");
  CHECK(answer.append("two ") == 0);
  CHECK(answer.append("") == 0);
  CHECK(peer.answer().body == "one two ");
  CHECK(peer.records().back().type == Record::out);
  answer.end();
  CHECK(peer.records().back().type == Record::end_request);
  CHECK_FALSE(answer);
  CHECK(answer.append("late") == 0);
  answer.end();
  CHECK(peer.answer().body == "one two ");
}

TEST_CASE("an answer that was begun and is forgotten ends") {
  FakePeer peer;
  {
    Answer answer = peer.owed();
    answer.begin({200, "one"});
  }
  CHECK(peer.answer().body == "one");
  CHECK(peer.records().back().type == Record::end_request);
}

TEST_CASE("an answer in parts says how much waits for a peer that does not take it") {
  FakePeer peer;
  Answer answer = peer.owed();
  answer.begin({200, ""});
  const std::string piece(100'000, 'x');
  size_t written = 0;
  size_t unsent = 0;
  while (unsent == 0 && written < 100 * piece.size()) {
    unsent = answer.append(piece);
    written += piece.size();
  }
  CHECK(unsent > 0);
  CHECK(answer.append(piece) > unsent);
  answer.end();
  peer.leave();
}

TEST_CASE("nothing is written to a client that has gone, and nothing waits for it") {
  FakePeer peer;
  const auto listener = std::make_shared<Listener>();
  Answer answer = peer.owed();
  CHECK(answer.when_gone(listener));
  answer.begin({200, "one"});
  peer.leave();
  CHECK(answer.append("two") == 0);
  CHECK_FALSE(answer.when_gone(listener));
  answer.end();
}

// The record that makes nginx close a connection it keeps: see farewell_record().
bool is_farewell(const Record& record) {
  return record.type == Record::err && record.id == 1 && record.content.empty() &&
         record.padding == 0;
}

TEST_CASE("a connection that retires has its peer close it after the answer that it still owes") {
  FakePeer peer;
  Answer answer = peer.owed();
  peer.retire();
  CHECK_FALSE(peer.answered());
  answer.send({200, "last"});
  CHECK(peer.answer().body == "last");
  const auto records = peer.records();
  CHECK(records.at(records.size() - 2).type == Record::end_request);
  CHECK(is_farewell(records.back()));
}

TEST_CASE("an idle connection that retires has its peer close it at once, and says so once") {
  FakePeer peer;
  peer.owed().send({200, ""});
  const size_t before = peer.records().size();
  CHECK(peer.records().back().type == Record::end_request);
  peer.retire();
  peer.retire();
  CHECK(peer.records().size() == before + 1);
  CHECK(is_farewell(peer.records().back()));
}

}  // namespace
}  // namespace letterbox::test
