// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "handlers/events.h"
#include "tests/unit/fake_entrance.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_presence.h"

namespace letterbox::test {
namespace {

// A stream that is asked for over a connection, and a store in the test's hands.
class Listening : public FakeEntrance {
 public:
  Listening() { access.at_once = true; }

  void events(std::string_view query, std::string_view last_event_id = "") {
    Request request;
    request.last_event_id = last_event_id;
    request.remote_addr = "192.0.2.1";
    handler_.events(request, Query::parse(query).value(), peer.owed());
  }
  void acknowledge(std::string_view query) {
    handler_.acknowledge({}, Query::parse(query).value(), peer.owed());
  }
  // The store's first call if there is no cursor.
  void look_says(const Glimpse& glimpse) {
    REQUIRE(store.peeks.size() == 1);
    CHECK(store.peeks.front().clients.front() ==
          std::pair<std::string, std::string>("alice", "tab"));
    const auto then = std::move(store.peeks.front().then);
    store.peeks.pop_front();
    then(Store::Glimpses{glimpse});
  }
  const FakeStore::Read& asked() const {
    REQUIRE(store.reads.size() == 1);
    return store.reads.front();
  }
  // The reason of a stream that ended at once.
  std::string ended() {
    const auto answer = peer.answer();
    CHECK(answer.status() == 200);
    CHECK(answer.header("Content-Type") == "text/event-stream");
    CHECK(answer.body.starts_with("retry: "));
    CHECK(peer.records().back().type == Record::end_request);
    return field(answer.body, "reason");
  }

  FakePeer peer;
  FakePresence presence;

 private:
  PresenceBook book_{loop, presence, 10};
  Entrance entrance_{desk, gate, room, book_};
  EventsHandler handler_{desk, gate, entrance_, room, {.ping_ms = 15'000}};
};

TEST_CASE_FIXTURE(
    Listening, "a stream is for 300 s, a hundred messages at once, and acknowledges its cursor") {
  events("user=alice&client=tab&after=1795000000000-7");
  CHECK(asked().after == id(7));
  CHECK(asked().acknowledged == id(7));
  CHECK(asked().limit == 100);
  CHECK(asked().park_until == wall_in(300'000));
  answer_read(one(id(8)));
  CHECK(peer.answer().body.find(
            "\"cursor\":\"1795000000000-7\"}\n\nid: 1795000000000-8\nevent: mail\ndata: ") !=
        std::string::npos);
}

TEST_CASE_FIXTURE(Listening, "Last-Event-ID counts before after=, also now") {
  std::string query = "user=alice&after=";
  SUBCASE("0") { query += "0"; }
  SUBCASE("now") { query += "now"; }
  events(query, "1795000000000-7");
  CHECK(asked().after == id(7));
}

TEST_CASE_FIXTURE(Listening, "without a cursor a stream begins at the client's own") {
  events("user=alice&client=tab&timeout=1");
  Glimpse glimpse;
  SUBCASE("the store has one") { glimpse.cursor = id(5); }
  SUBCASE("there is none yet") {}
  glimpse.newest = id(9);
  look_says(glimpse);
  CHECK(asked().after == glimpse.cursor);
  CHECK(asked().park_until == wall_in(1'000));
}

TEST_CASE_FIXTURE(Listening, "now is after the newest message") {
  events("user=alice&client=tab&after=now");
  Glimpse glimpse;
  glimpse.cursor = id(5);
  glimpse.newest = id(9);
  look_says(glimpse);
  CHECK(asked().after == id(9));
  answer_read(nothing_after(id(9)));
  CHECK(peer.answer().body.ends_with("\"cursor\":\"" + id(9).text() + "\"}\n\n"));
}

TEST_CASE_FIXTURE(Listening,
                  "a cursor that Letterbox has not issued is no position to come back with") {
  events("user=alice&after=nonsense");
  CHECK(asked().foreign);
  answer_read(one(id(1)));
  CHECK(peer.answer().body.find("id: nonsense") == std::string::npos);
}

TEST_CASE_FIXTURE(Listening, "a terminal error is refused by its status") {
  int status = 400;
  SUBCASE("a life") { events("user=alice&timeout=0"); }
  SUBCASE("a format") { events("user=alice&format=xml"); }
  SUBCASE("a client") { events("user=alice&client=a%20b"); }
  SUBCASE("no user") {
    status = 401;
    events("");
  }
  CHECK(peer.answer().status() == status);
  CHECK(room.size() == 0);
}

TEST_CASE_FIXTURE(Listening, "a passing error is a stream that ends, and says when to come back") {
  SUBCASE("as it looks for its client's cursor") {
    events("user=alice&client=tab");
    store.peeks.front().then(away());
  }
  SUBCASE("as its mailbox is read") {
    events("user=alice&after=0");
    answer_read(away());
  }
  CHECK(ended() == "store_unavailable");
}

TEST_CASE_FIXTURE(Listening, "a client that was kicked is told to stop") {
  Answer answer = peer.owed();
  refuse_stream(answer, {Code::kicked, "too loud", 0});
  CHECK(peer.answer().status() == 204);
  CHECK(peer.answer().body.empty());
}

TEST_CASE_FIXTURE(Listening, "an open stream that meets an error ends by its code") {
  events("user=alice&after=1795000000000-4");
  answer_read(nothing_after(id(4)));
  room.found(desk, "alice", bell());
  answer_read(Error{Code::broken_data, "broken", 0});
  CHECK(peer.answer().body.find(R"({"reason":"broken_data","retry_after_ms":)") !=
        std::string::npos);
  CHECK(peer.records().back().type == Record::end_request);
}

TEST_CASE_FIXTURE(Listening, "an acknowledgement is answered once the store has it") {
  acknowledge("user=alice&client=tab&after=1795000000000-7");
  REQUIRE(store.notes.size() == 1);
  CHECK_FALSE(peer.answered());
  int status = 200;
  SUBCASE("it does") { answer_note(Reading{}); }
  SUBCASE("it is away") {
    status = 503;
    answer_note(away());
  }
  CHECK(peer.answer().status() == status);
}

TEST_CASE_FIXTURE(Listening, "an acknowledgement of no message is refused") {
  SUBCASE("nothing") { acknowledge("user=alice"); }
  SUBCASE("the beginning") { acknowledge("user=alice&after=0"); }
  SUBCASE("nonsense") { acknowledge("user=alice&after=x"); }
  CHECK(peer.answer().status() == 400);
  CHECK(field(peer.answer().body, "code") == "bad_request");
}

}  // namespace
}  // namespace letterbox::test
