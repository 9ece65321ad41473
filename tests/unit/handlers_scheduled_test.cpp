// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

#include "handlers/scheduled.h"
#include "model/message.h"
#include "tests/unit/fake_calendar.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_presence.h"
#include "tests/unit/fake_reply_to.h"
#include "tests/unit/fake_store.h"

namespace letterbox::test {
namespace {

constexpr std::string_view kId = "alice.1a1ff7b9eeb00007";

struct ScheduledMail {
  FakeCalendar calendar;
  ScheduledHandler handler{calendar};

  HttpAnswer view(std::string_view query, Or<ScheduledPage> page) {
    FakePeer peer;
    handler.view(Query::parse(query).value(), peer.owed());
    REQUIRE(calendar.views.size() == 1);
    answer_oldest(calendar.views, std::move(page));
    return peer.answer();
  }
  HttpAnswer cancel(std::string_view query, Or<bool> cancelled) {
    FakePeer peer;
    handler.cancel(Query::parse(query).value(), peer.owed());
    REQUIRE(calendar.cancellings.size() == 1);
    answer_oldest(calendar.cancellings, std::move(cancelled));
    return peer.answer();
  }
  std::string refused_view(std::string_view query) {
    FakePeer peer;
    handler.view(Query::parse(query).value(), peer.owed());
    CHECK(calendar.views.empty());
    return field(peer.answer().body, "code");
  }
  std::string refused_cancel(std::string_view query) {
    FakePeer peer;
    handler.cancel(Query::parse(query).value(), peer.owed());
    CHECK(calendar.cancellings.empty());
    return field(peer.answer().body, "code");
  }
};

TEST_CASE_FIXTURE(ScheduledMail,
                  "a user's scheduled messages are shown with id, time, type and data") {
  ScheduledPage page;
  page.entries.push_back({std::string(kId),
                          1'795'287'654'123,
                          {make_element("mail", R"({"from":"bob"})", 1'795'287'654'123, 0), ""}});
  page.next = kId;
  const auto answer = view("user=alice", page);
  CHECK(answer.status() == 200);
  CHECK(answer.body == R"({"user":"alice","scheduled":[{"id":"alice.1a1ff7b9eeb00007",)"
                       R"("at":1795287654123,"type":"mail","data":{"from":"bob"}}],)"
                       "\"next\":\"alice.1a1ff7b9eeb00007\"}\n");
  CHECK(view("user=bob", ScheduledPage{}).body ==
        "{\"user\":\"bob\",\"scheduled\":[],\"next\":null}\n");
  CHECK(view("user=bob", away()).status() == 503);
}

TEST_CASE_FIXTURE(ScheduledMail,
                  "a view of scheduled messages says where it begins, and how many it wants") {
  FakePeer peer;
  handler.view(Query::parse("user=alice&after=" + std::string(kId) + "&limit=7").value(),
               peer.owed());
  REQUIRE(calendar.views.size() == 1);
  CHECK(calendar.views[0].user == "alice");
  CHECK(calendar.views[0].after == kId);
  CHECK(calendar.views[0].limit == 7);
}

TEST_CASE_FIXTURE(ScheduledMail, "what is no user, no limit or no id of the user's is refused") {
  CHECK(refused_view("") == "missing_user");
  CHECK(refused_view("user=a%20b") == "bad_user");
  CHECK(refused_view("user=alice&limit=0") == "bad_limit");
  CHECK(refused_view("user=alice&after=5-7") == "bad_request");
  CHECK(refused_view("user=bob&after=" + std::string(kId)) == "bad_request");
  CHECK(refused_view("user=alice&user=bob") == "repeated_parameter");
  CHECK(refused_cancel("") == "bad_request");
  CHECK(refused_cancel("id=") == "bad_request");
  CHECK(refused_cancel("id=alice") == "bad_request");
  CHECK(refused_cancel("id=alice.1A1FF7B9EEB00007") == "bad_request");
  CHECK(refused_cancel("id=a&id=b") == "repeated_parameter");
}

TEST_CASE_FIXTURE(
    ScheduledMail,
    "a scheduled message is cancelled by its id, and the answer says whether it was there") {
  const std::string query = "id=" + std::string(kId);
  CHECK(cancel(query, true).body == "{\"cancelled\":true}\n");
  CHECK(cancel(query, false).body == "{\"cancelled\":false}\n");
  CHECK(cancel(query, broken_data("scheduled:{alice}")).status() == 409);
}

}  // namespace
}  // namespace letterbox::test
