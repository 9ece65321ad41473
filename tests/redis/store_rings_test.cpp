// SPDX-License-Identifier: MIT
//
// Which programs are told of a push, and how; and what the push's answer says of those that listen.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "mailbox/keys.h"
#include "model/message.h"
#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

struct Rings : Mailboxes {
  using Kind = Ring::Kind;

  std::vector<Kind> kinds() {
    std::vector<Kind> all;
    for (const auto& element : list()) all.push_back(parse_ring(element).kind);
    return all;
  }
  std::string take() { return worker.ask({"LPOP", keys.mailbox}).text; }
  void hang_raw() { worker.ask({"RPUSH", keys.mailbox, "by hand"}); }

  // A program says that it listens.
  void watch(std::string_view who, uint64_t for_ms, const std::string& user = "alice") {
    RedisWorker program(server.login(), clock, small_limits(), std::string(who));
    REQUIRE(program.comes_up());
    REQUIRE(program.read({.user = user,
                          .client = std::string(who),
                          .after = Cursor{},
                          .limit = for_ms > 0 ? 100U : 0U,
                          .watch_until = in(for_ms)}));
  }
  std::vector<std::string> at(const std::string& program) {
    return worker.ask({"LRANGE", address_key(program, 0), "0", "-1"}).texts();
  }
  std::string told(const std::string& named, const std::string& element = "") {
    return std::to_string(clock.wall_ms()) + " " + named + "\n" + element;
  }
};

constexpr auto kMessage = Ring::Kind::message;
constexpr auto kBell = Ring::Kind::bell;
constexpr auto kRaw = Ring::Kind::raw;
using Kinds = std::vector<Ring::Kind>;

// --- no program watches ------------------------------------------------------------------------

TEST_CASE_FIXTURE(Rings, "if no program watches a push hangs a ring that carries its message") {
  CHECK_FALSE(push("[1,2]").waiting);
  const auto hanging = list();
  REQUIRE(hanging.size() == 1);
  const Ring ring = parse_ring(hanging[0]);
  REQUIRE(ring.kind == kMessage);
  CHECK(ring.id == id(1));
  CHECK(ring.element.body ==
        R"({"type":"mail","data":[1,2],"time":)" + std::to_string(clock.wall_ms()) + "}");
  CHECK(worker.ask({"PTTL", keys.mailbox}).integer > 0);
}

TEST_CASE_FIXTURE(Rings,
                  "a ring that was not taken becomes a bell with the next push, and stays one") {
  push();
  for (int i = 0; i < 5; ++i) {
    push();
    CHECK(kinds() == Kinds{kBell});
  }
}

TEST_CASE_FIXTURE(Rings, "after a ring was taken the next one carries its message again") {
  for (uint64_t seq = 1; seq <= 4; ++seq) {
    push();
    if (seq == 2) push();  // hangs a bell
    CHECK(parse_ring(take()).kind == (seq == 2 ? kBell : kMessage));
    CHECK(list().empty());
  }
}

// (The JSON around the data of a message of 500 bytes, the longest that a ring carries here.)
std::string data_of(size_t bytes, const FakeClock& clock) {
  const size_t around = make_element("mail", "1", clock.wall_ms(), 0).size() - 1;
  return '"' + std::string(bytes - around - 2, 'x') + '"';
}

TEST_CASE_FIXTURE(Rings, "a message too long for a ring is announced by a bell") {
  push(data_of(500, clock));
  CHECK(parse_ring(take()).kind == kMessage);
  push(data_of(501, clock));
  CHECK(parse_ring(take()).kind == kBell);
}

// --- programs that watch are told at their addresses -------------------------------------------

TEST_CASE_FIXTURE(Rings, "each program that watches is told at its address, and nothing hangs") {
  watch("one", 30'000);
  watch("two", 30'000);
  const Pushed pushed = push("[1,2]");
  CHECK(pushed.waiting);
  CHECK(list().empty());
  const std::string element = make_element("mail", "[1,2]", clock.wall_ms(), 0);
  const std::vector<std::string> expected{told("alice " + pushed.id.text(), element)};
  CHECK(at("one") == expected);
  CHECK(at("two") == expected);
  CHECK(worker.ask({"PTTL", address_key("one", 0)}).integer > 500'000);
  CHECK(worker.ask({"PTTL", address_key("one", 0)}).integer <= 600'000);
}

TEST_CASE_FIXTURE(Rings, "a program reads what a push tells") {
  watch("one", 30'000);
  const Pushed pushed = push();
  const auto told = at("one");
  REQUIRE(told.size() == 1);
  const auto rings = parse_addressed(told[0]);
  REQUIRE(rings.size() == 1);
  CHECK(rings[0].first == "alice");
  CHECK(rings[0].second.kind == kMessage);
  CHECK(rings[0].second.id == pushed.id);
}

TEST_CASE_FIXTURE(Rings,
                  "an address is told once of a message for many, with all users that it watches") {
  for (const auto* user : {"alice", "bob", "carol"}) watch("one", 30'000, user);
  watch("two", 30'000, "carol");
  const std::string element = make_element("mail", "1", clock.wall_ms(), 0);
  const std::vector<std::string_view> users{"alice", "bob", "carol", "dave"};
  const auto outcomes = worker.await<std::vector<Or<Pushed>>>(
      [&](const auto& then) { worker.store.push_each(users, element, {}, then); });
  REQUIRE(outcomes.size() == 4);
  const auto name = [&](size_t i, const char* user) {
    return std::string(user) + " " + outcomes[i].value().id.text();
  };
  CHECK(
      at("one") ==
      std::vector{told(name(0, "alice") + " " + name(1, "bob") + " " + name(2, "carol"), element)});
  CHECK(at("two") == std::vector{told(name(2, "carol"), element)});
  CHECK(outcomes[2].value().waiting);
  CHECK_FALSE(outcomes[3].value().waiting);
}

TEST_CASE_FIXTURE(Rings,
                  "if a message is too long for a ring, an address is told only that it is there") {
  watch("one", 30'000);
  const Pushed pushed = push(data_of(501, clock));
  CHECK(at("one") == std::vector{told("alice " + pushed.id.text())});
}

TEST_CASE_FIXTURE(Rings, "a program whose watch has run out or ended is not told") {
  watch("one", 30'000);
  watch("two", 20'000);
  watch("three", 30'000);
  watch("three", 0);
  clock.pass(20'000);
  CHECK(push().waiting);
  CHECK(at("one").size() == 1);
  CHECK(at("two").empty());
  CHECK(at("three").empty());
  clock.pass(10'000);
  CHECK_FALSE(push().waiting);
  CHECK(kinds() == Kinds{kMessage});
}

TEST_CASE_FIXTURE(Rings, "a watch also ends before the first push") {
  watch("one", 30'000);
  watch("one", 0);
  CHECK_FALSE(push().waiting);
  CHECK(at("one").empty());
}

TEST_CASE_FIXTURE(Rings, "an address that is not read says in the end: look at everything") {
  watch("one", 600'000);
  const std::vector<std::string> rings(4096, "x");
  const std::string key = address_key("one", 0);
  std::vector<std::string_view> words{"RPUSH", key};
  words.insert(words.end(), rings.begin() + 1, rings.end());
  worker.ask(words);
  push();
  CHECK(at("one").size() == 4096);
  push();
  CHECK(at("one") == std::vector{told("*")});
  CHECK(parse_addressed(at("one")[0]).empty());
  CHECK(worker.ask({"PTTL", address_key("one", 0)}).integer > 0);
  push();
  CHECK(at("one").size() == 2);
}

// (A replica is sent the same as this file.)
TEST_CASE("the append-only file has the whole message, and nothing of an address") {
  RedisServer server(RedisServer::Keeps::everything);
  const FakeClock clock;
  RedisWorker worker(server.login(), clock, small_limits(), "one");
  REQUIRE(worker.comes_up());
  REQUIRE(worker.read({.after = Cursor{}, .watch_until = clock.wall_ms() + 30'000}));
  REQUIRE(worker.push("alice", R"("first")"));
  // (Two in one step: the second must not be left out either.)
  REQUIRE(worker.await<Or<Pushed>>([&](const auto& then) {
    const auto element = [&](const char* data) { return make_element("mail", data, 0, 0); };
    worker.store.push("alice", element(R"("second")"), [](const auto&) {});
    worker.store.push("bob", element(R"("third")"), then);
  }));
  CHECK(worker.ask({"LLEN", address_key("one", 0)}).integer == 2);
  std::string kept;
  const std::string folder = worker.ask({"CONFIG", "GET", "dir"}).texts().at(1);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".aof") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    kept.append(std::istreambuf_iterator<char>(file), {});
  }
  CHECK(kept.find("\"first\"") != std::string::npos);
  CHECK(kept.find("\"second\"") != std::string::npos);
  CHECK(kept.find("\"third\"") != std::string::npos);
  CHECK(kept.find("address:") == std::string::npos);
}

TEST_CASE_FIXTURE(Rings, "a foreign value at an address costs no message and no answer") {
  watch("one", 30'000);
  worker.ask({"SET", address_key("one", 0), "by hand"});
  CHECK_FALSE(push().waiting);
  CHECK(at("one") == std::vector{told("*")});
  CHECK(worker.read({}).value().count == 1);
}

TEST_CASE_FIXTURE(Rings,
                  "no client is waiting if a program has left its address alone for two seconds") {
  watch("one", 60'000);
  CHECK(push().waiting);
  clock.pass(1'999);
  CHECK(push().waiting);
  clock.pass(1);
  CHECK_FALSE(push().waiting);
  SUBCASE("until the program reads it") { worker.ask({"LPOP", address_key("one", 0), "10"}); }
  SUBCASE("unless another program waits as well") { watch("two", 60'000); }
  CHECK(push().waiting);
}

TEST_CASE_FIXTURE(Rings, "a program of a version without an address gets its ring in the list") {
  watch("one", 30'000);
  watch("two", 30'000);
  std::string base = worker.ask({"GET", keys.base}).text;
  size_t named = std::string::npos;
  SUBCASE("though it is named first") { named = base.find(" @"); }
  SUBCASE("though others are named around it") { named = base.rfind(" @"); }
  SUBCASE("though it is named last") { named = base.size(); }
  REQUIRE(named != std::string::npos);
  base.insert(named, " 0123abcd " + std::to_string(in(30'000)));
  worker.ask({"SET", keys.base, base});
  CHECK(push().waiting);
  CHECK(kinds() == Kinds{kMessage});
  CHECK(at("one").size() == 1);
  CHECK(at("two").size() == 1);
  push();
  CHECK(kinds() == Kinds{kBell});
  CHECK(at("one").size() == 2);
  CHECK(at("two").size() == 2);
}

TEST_CASE_FIXTURE(Rings, "a poll that only looks leaves the watch of a poll that waits") {
  watch("program", 30'000);
  read({.after = Cursor{}});
  push();
  CHECK(at("program").size() == 1);
}

// --- the pusher itself watches -----------------------------------------------------------------

// (By the real clock: Redis compares it with its own.)
struct Own : Rings {
  Own() {
    REQUIRE(own.comes_up());
    own.on_loop([this] {
      own.store.pushes().tell_here({.rung =
                                        [this](std::string_view user, const Ring& ring) {
                                          heard.push_back(std::string(user) + " " + ring.id.text() +
                                                          " " + std::string(ring.element.body));
                                        },
                                    .in_doubt = [this](const auto& users) { doubted = users; }});
      return true;
    });
    REQUIRE(own.read({.after = Cursor{}, .watch_until = real.wall_ms() + 30'000}));
  }
  ~Own() { own.halt(); }

  const SystemClock real;
  std::vector<std::string> heard;
  std::vector<std::string> doubted;
  RedisWorker own{server.login(), real, small_limits(), "own"};
};

TEST_CASE_FIXTURE(Own,
                  "a program that pushes and watches is told by the answer, and rung nowhere") {
  const Pushed pushed = own.push("alice", "[1,2]").value();
  CHECK(pushed.waiting);
  CHECK(list().empty());
  CHECK(at("own").empty());
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].starts_with("alice " + pushed.id.text() + R"( {"type":"mail","data":[1,2],)"));
  CHECK(doubted.empty());
}

// As far as a push can tell: its own clock is behind.
struct Behind final : Clock {
  uint64_t wall_ms() const override { return real.wall_ms() - 10'000; }
  uint64_t steady_ms() const override { return real.steady_ms(); }
  SystemClock real;
};

TEST_CASE_FIXTURE(Own,
                  "a push that is carried out after its caller's patience rings at the address") {
  const Behind behind;
  RedisWorker late(server.login(), behind, small_limits(), "own");
  REQUIRE(late.comes_up());
  bool told = false;
  late.on_loop([&] {
    late.store.pushes().tell_here(
        {.rung = [&](std::string_view, const Ring&) { told = true; }, .in_doubt = {}});
    return true;
  });
  CHECK(late.push("alice").value().waiting);
  CHECK_FALSE(told);
  CHECK(at("own").size() == 1);
}

TEST_CASE_FIXTURE(Own, "the users of a push whose answer is lost are in doubt") {
  const auto pushed = own.await<Or<Pushed>>([this](const auto& then) {
    own.redis.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"}, [](const Reply&) {});
    own.store.push("alice", make_element("mail", "1", 0, 0), then);
  });
  CHECK_FALSE(pushed);
  CHECK(doubted == std::vector<std::string>{"alice"});
  CHECK(heard.empty());
}

// --- raw elements ------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Rings, "after a raw element a push hangs a bell") {
  hang_raw();
  push();
  CHECK(kinds() == Kinds{kRaw, kBell});
  push();
  CHECK(kinds() == Kinds{kRaw, kBell});
  hang_raw();
  push();
  CHECK(kinds() == Kinds{kRaw, kBell, kRaw, kBell});
}

TEST_CASE_FIXTURE(
    Rings, "a ring before a raw element still carries its message, and a bell is hung after it") {
  push();
  hang_raw();
  push();
  const auto hanging = kinds();
  REQUIRE(hanging.size() == 3);
  CHECK(hanging[1] == kRaw);
  CHECK(hanging[2] == kBell);
  // A program that takes the first one must not think that it is the newest without hearing the
  // bell.
  CHECK(parse_ring(take()).id.seq <= 1);
}

}  // namespace
}  // namespace letterbox::test
