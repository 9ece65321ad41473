// SPDX-License-Identifier: MIT
//
// Elements that were pushed into the list by hand.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "model/json.h"
#include "model/message.h"
#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

using namespace std::literals;

struct Raw : Mailboxes {
  void hang(std::string_view raw) { worker.ask({"RPUSH", keys.mailbox, raw}); }

  // The data of all messages that are kept.
  std::vector<std::string> data() {
    std::vector<std::string> all;
    for (const auto& element : worker.ask({"LRANGE", keys.unacked, "0", "-1"}).texts()) {
      const std::string_view begin = R"("data":)";
      const size_t at = element.find(begin) + begin.size();
      all.push_back(element.substr(at, element.rfind(",\"time\"") - at));
    }
    return all;
  }
};

TEST_CASE_FIXTURE(Raw, "a raw element becomes a text message") {
  const auto pushed = worker.adopt("alice", "hello");
  REQUIRE(pushed);
  CHECK(pushed->id == id(1));
  CHECK(read_after(0).messages == R"({"id":")" + id(1).text() +
                                      R"(","type":"message","data":"hello","time":)" +
                                      std::to_string(epoch) + "}");
}

TEST_CASE_FIXTURE(Raw, "any bytes become text: those that are not UTF-8 become U+FFFD") {
  worker.adopt("alice", "caf\xC3\xA9 \xFF\xC3(\xED\xA0\x80").value();
  worker.adopt("alice", "\"\\\0\n\x01"sv).value();
  worker.adopt("alice", "").value();
  worker.adopt("alice", R"({"a":1})").value();
  const auto all = data();
  REQUIRE(all.size() == 4);
  CHECK(all[0] == "\"caf\xC3\xA9 \xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  CHECK(all[1] == json_string("\"\\\0\n\x01"sv));
  CHECK(all[2] == R"("")");
  CHECK(all[3] == R"("{\"a\":1}")");
}

TEST_CASE_FIXTURE(Raw, "all raw elements of a list are adopted, in their order") {
  for (const auto raw : {"one", "two", "three"}) hang(raw);
  CHECK(worker.adopt_all("alice").value());
  CHECK(data() == std::vector<std::string>{"\"one\"", "\"two\"", "\"three\""});
  for (const auto& element : list()) CHECK(parse_ring(element).kind != Ring::Kind::raw);
  CHECK_FALSE(list().empty());  // a client that waits hears of them
}

TEST_CASE_FIXTURE(Raw, "without raw elements nothing happens") {
  CHECK(worker.adopt_all("alice").value());
  CHECK(list().empty());
  CHECK(view().newest == Cursor{});
}

TEST_CASE_FIXTURE(Raw, "a ring or bell among raw elements stays, so that no client misses it") {
  push();
  hang("one");
  push();
  hang("two");
  CHECK(consume().raw);
  CHECK(worker.adopt_all("alice").value());
  CHECK(data() == std::vector<std::string>{"\"one\"", "\"two\""});
  CHECK_FALSE(list().empty());
  for (const auto& element : list()) CHECK(parse_ring(element).kind != Ring::Kind::raw);
}

TEST_CASE_FIXTURE(Raw, "a ring alone is left as it is") {
  push();
  const auto before = list();
  CHECK(worker.adopt_all("alice").value());
  CHECK(list() == before);
  CHECK(data().size() == 1);
}

TEST_CASE_FIXTURE(Raw, "a raw element that another program took first is not adopted") {
  hang("one");
  CHECK(worker
            .await<Or<bool>>([&](const auto& then) {
              worker.store.adopt_all("alice", then);
              worker.redis.command({"LPOP", keys.mailbox}, [](const Reply&) {});
            })
            .value());
  CHECK(list().empty());
  CHECK(data().empty());
}

TEST_CASE_FIXTURE(Raw, "a raw element is not lost if the connection breaks during its adoption") {
  hang("one");
  const auto adopted = worker.await<Or<bool>>([&](const auto& then) {
    worker.store.adopt_all("alice", then);
    worker.redis.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"}, [](const Reply&) {});
  });
  CHECK_FALSE(adopted);
  CHECK(eventually([&] { return worker.is_up() && bool(worker.adopt_all("alice")); }));
  CHECK(data() == std::vector<std::string>{"\"one\""});
}

TEST_CASE_FIXTURE(Raw, "raw elements stay in their order if the mailbox is broken") {
  hang("one");
  hang("two");
  SUBCASE("its record") { worker.ask({"SET", keys.base, "no record"}); }
  SUBCASE("its messages") {
    push();
    worker.ask({"SET", keys.unacked, "no list"});
  }
  const auto adopted = worker.adopt_all("alice");
  REQUIRE_FALSE(adopted);
  CHECK(adopted.error().code == Code::broken_data);
  worker.ask({"DEL", keys.base, keys.unacked});
  CHECK(worker.adopt_all("alice").value());
  CHECK(data() == std::vector<std::string>{"\"one\"", "\"two\""});
}

TEST_CASE_FIXTURE(Raw, "more raw elements than are taken at once are all found") {
  for (int i = 0; i < 100; ++i) hang(std::to_string(i));
  // As often as a poll sees some, and reads again.
  uint64_t at = 0;
  while (true) {
    const auto reading = read({.client = "tab", .after = Cursor{epoch, at}});
    at = reading.cursor.seq;
    if (reading.count == 0 && !reading.raw) break;
    if (reading.raw) CHECK(worker.adopt_all("alice").value());
  }
  CHECK(at == 100);
}

TEST_CASE_FIXTURE(Raw, "a raw element that looks much like one of Letterbox's is still raw") {
  const std::vector<std::string> much_alike{"*5", "5-1 0 {\"a\":1}", "0 {\"a\":1}", "bell", ""};
  for (const auto& raw : much_alike) hang(raw);
  CHECK(consume().raw);
  CHECK(worker.adopt_all("alice").value());
  CHECK(data().size() == much_alike.size());
}

TEST_CASE("in a Redis that is full raw elements are still adopted") {
  RedisServer server;
  FakeClock clock;
  RedisWorker worker(server.login(), clock);
  REQUIRE(worker.comes_up());
  worker.ask({"RPUSH", mailbox_key("alice"), "one", "two"});
  REQUIRE(worker.ask({"CONFIG", "SET", "maxmemory", "1"}).ok());
  CHECK(worker.adopt_all("alice").value());
  CHECK(worker.view("alice")->queued == 2);
}

TEST_CASE("a raw element is not lost if its message can't be pushed") {
  RedisServer server;
  FakeClock clock;
  RedisWorker worker(server.login(), clock);
  REQUIRE(worker.comes_up());
  worker.ask({"RPUSH", mailbox_key("alice"), "by hand"});
  worker.ask({"ACL", "SETUSER", "default", "-evalsha", "-eval"});
  CHECK_FALSE(worker.adopt_all("alice"));
  worker.ask({"ACL", "SETUSER", "default", "+@all"});
  CHECK(eventually(
      [&] { return bool(worker.adopt_all("alice")) && worker.view("alice").value().queued == 1; }));
}

}  // namespace
}  // namespace letterbox::test
