// SPDX-License-Identifier: MIT
//
// Who is online, in a real Redis.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mailbox/keys.h"
#include "mailbox/redis_presence.h"
#include "tests/redis/print.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/redis_worker.h"
#include "tests/unit/fake_clock.h"

namespace letterbox::test {
namespace {

using Texts = std::vector<std::string>;

constexpr int64_t kMinute = 60'000;

PresenceRules rules(bool events = true) {
  PresenceRules rules;
  rules.events = events;
  rules.clients = 3;
  rules.events_kept = 50;
  rules.events_at_once = 10;
  rules.users_at_once = 7;
  rules.turn_ms = 5'000;
  rules.life_ms = 1'000'000;
  return rules;
}

struct Present {
  RedisServer& server = RedisServer::shared();
  FakeClock clock;
  RedisWorker worker{server.login(), clock};
  RedisPresence presence{worker.redis, clock, worker.log, rules(), "one"};

  Present() {
    REQUIRE(worker.comes_up());
    REQUIRE(worker.ask({"FLUSHALL"}).ok());
  }
  ~Present() { worker.halt(); }
  Present(const Present&) = delete;
  Present& operator=(const Present&) = delete;

  uint64_t in(uint64_t ms) const { return clock.wall_ms() + ms; }
  PresenceStore::Note online(std::string user, uint64_t for_ms, std::string client = "tab") const {
    return {std::move(user),
            {std::move(client), clock.wall_ms(), in(for_ms), "127.0.0.1", "Mozilla/5.0 (X11; rv)"}};
  }
  // Notes user0, user1 and so on, each for a second.
  std::vector<PresenceStore::Note> crowd(size_t size) const {
    std::vector<PresenceStore::Note> notes(size);
    for (size_t i = 0; i < size; ++i) notes[i] = online("user" + std::to_string(i), 1'000);
    return notes;
  }
  bool note_by(RedisPresence& by, const std::vector<PresenceStore::Note>& notes) {
    return static_cast<bool>(
        worker.await<Or<bool>>([&](const auto& then) { by.note(notes, then); }));
  }
  void note(const std::vector<PresenceStore::Note>& notes) { REQUIRE(note_by(presence, notes)); }
  PresencePage page(PresenceQuestion question) {
    if (question.limit == 0) question.limit = 100;
    const auto found =
        worker.await<Or<PresencePage>>([&](const auto& then) { presence.page(question, then); });
    REQUIRE(found);
    return *found;
  }
  PresentUser user(std::string_view name) {
    const auto found =
        worker.await<Or<PresentUser>>([&](const auto& then) { presence.user(name, then); });
    REQUIRE(found);
    return *found;
  }
  PresenceStore::Swept sweep_by(RedisPresence& by) {
    const auto swept =
        worker.await<Or<PresenceStore::Swept>>([&](const auto& then) { by.sweep(then); });
    REQUIRE(swept);
    return *swept;
  }
  PresenceStore::Swept sweep() { return sweep_by(presence); }
  void settle(const Texts& events) {
    REQUIRE(worker.await<Or<bool>>([&](const auto& then) { presence.settle(events, then); }));
  }

  static Texts names(const PresencePage& page) {
    Texts all;
    for (const auto& user : page.users) all.push_back(user.name);
    return all;
  }
  Texts outbox() { return worker.ask({"LRANGE", shared_keys(0).events, "0", "-1"}).texts(); }
  std::string time() const { return std::to_string(clock.wall_ms()); }
  int64_t life(std::string_view key) { return worker.ask({"PTTL", key}).integer; }
};

// --- noting ------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Present, "a client that is noted is online until its time is over") {
  note({online("alice", 1'500)});
  const uint64_t until = in(1'500);
  CHECK(page({}).online == 1);
  CHECK(names(page({})) == Texts{"alice"});
  CHECK(page({}).users[0].until_ms == until);
  clock.pass(1'499);
  CHECK(names(page({})) == Texts{"alice"});
  clock.pass(1);
  CHECK(page({}).online == 0);
  CHECK(page({}).users.empty());
}

TEST_CASE_FIXTURE(Present, "a note keeps everything known of a client, whatever bytes it sent") {
  auto strange = online("alice", 1'000, "");
  strange.client.agent = "a  b\n\xff\"\xc3\xbc ";
  strange.client.address = "::1";
  note({online("alice", 2'000), strange});
  const auto clients = page({}).users.at(0).clients;
  REQUIRE(clients.size() == 2);
  CHECK(clients[0].name.empty());
  CHECK(clients[0].address == "::1");
  CHECK(clients[0].agent == "a  b\n\xef\xbf\xbd\"\xc3\xbc ");
  CHECK(clients[1].name == "tab");
  CHECK(clients[1].last_ms == clock.wall_ms());
  CHECK(clients[1].until_ms == in(2'000));
  CHECK(clients[1].address == "127.0.0.1");
  CHECK(clients[1].agent == "Mozilla/5.0 (X11; rv)");
}

TEST_CASE_FIXTURE(Present, "a user is online for as long as one of its clients is") {
  note({online("alice", 5'000, "laptop"), online("alice", 1'000, "phone")});
  CHECK(user("alice").until_ms == in(5'000));
  clock.pass(1'000);
  REQUIRE(user("alice").clients.size() == 1);
  CHECK(user("alice").clients[0].name == "laptop");
  note({online("alice", 1'000, "phone")});
  CHECK(user("alice").until_ms == in(4'000));
  CHECK(user("alice").last_ms == clock.wall_ms());
  CHECK(user("alice").clients.size() == 2);
}

TEST_CASE_FIXTURE(Present, "every key expires, a user's own key a minute after its time") {
  note({online("alice", 30'000), online("alice", 1'000, "phone"), online("bob", 1'000)});
  CHECK(life(presence_key("alice")) > 30'000 + kMinute - 15'000);
  CHECK(life(presence_key("alice")) <= 30'000 + kMinute);
  CHECK(life(presence_key("bob")) <= 1'000 + kMinute);
  for (const auto& key : worker.ask({"KEYS", "*"}).texts()) {
    CAPTURE(key);
    CHECK(life(key) > 0);
    CHECK(life(key) <= 1'000'000);
  }
}

TEST_CASE_FIXTURE(
    Present,
    "if a user has too many clients those that lapsed go first, then those that lapse next") {
  note({online("alice", 1'000, "a"), online("alice", 9'000, "b"), online("alice", 2'000, "c")});
  clock.pass(1'000);
  note({online("alice", 5'000, "d")});
  const auto fields = [&] { return worker.ask({"HKEYS", presence_key("alice")}).texts().size(); };
  CHECK(fields() == 3);
  CHECK(user("alice").clients.size() == 3);
  note({online("alice", 7'000, "e")});
  CHECK(fields() == 3);
  Texts left;
  for (const auto& client : user("alice").clients) left.push_back(client.name);
  CHECK(left == Texts{"b", "d", "e"});
}

// --- pages -------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Present, "pages go through all names, in their order, each once") {
  std::vector<PresenceStore::Note> notes;
  Texts all;
  for (int i = 100; i < 130; ++i) {
    all.push_back("user" + std::to_string(i));
    notes.insert(notes.begin(), online(all.back(), 1'000));
  }
  note(notes);
  Texts seen;
  PresenceQuestion question{.limit = 7};
  do {
    const auto found = page(question);
    CHECK(found.online == 30);
    CHECK(found.users.size() <= 7);
    for (const auto& name : names(found)) seen.push_back(name);
    question.after = found.next;
  } while (!question.after.empty());
  CHECK(seen == all);
  CHECK(page({.limit = 30}).next.empty());
  CHECK(page({.limit = 29}).next == "user128");
}

TEST_CASE_FIXTURE(Present, "a prefix shows the names with that beginning, and no other") {
  note({online("al", 1'000), online("alice", 1'000), online("alice.b", 1'000),
        online("alicf", 1'000), online("bob", 1'000), online("Alice", 1'000)});
  CHECK(names(page({.prefix = "alice"})) == Texts{"alice", "alice.b"});
  CHECK(names(page({.prefix = "al"})) == Texts{"al", "alice", "alice.b", "alicf"});
  CHECK(names(page({.prefix = "c"})).empty());
  CHECK(page({.prefix = "c"}).online == 6);
  CHECK(names(page({.prefix = "al", .after = "alice"})) == Texts{"alice.b", "alicf"});
  CHECK(names(page({.prefix = "al", .after = "aa"})).size() == 4);
  CHECK(names(page({.prefix = "al", .after = "b"})).empty());
  CHECK(names(page({.after = "alicf"})) == Texts{"bob"});
}

TEST_CASE_FIXTURE(Present, "foreign values at presence keys are not shown, and do no harm") {
  note({online("bob", 1'000), online("carol", 1'000)});
  worker.ask({"ZADD", shared_keys(0).names, "0", "a b\xff"});
  worker.ask({"ZADD", shared_keys(0).online, "inf", "a b\xff"});
  worker.ask({"DEL", presence_key("bob")});
  worker.ask({"SET", presence_key("bob"), "x"});
  worker.ask({"HSET", presence_key("carol"), "\xff", "no line"});
  const auto found = page({});
  CHECK(names(found) == Texts{"bob", "carol"});
  CHECK(found.users[0].clients.empty());
  CHECK(found.users[1].clients.size() == 1);
}

TEST_CASE_FIXTURE(Present, "an unknown user is offline, and has no clients") {
  const auto nobody = user("nobody");
  CHECK(nobody.name == "nobody");
  CHECK(nobody.until_ms == 0);
  CHECK(nobody.last_ms == 0);
  CHECK(nobody.clients.empty());
}

// --- sweeping ----------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Present, "a client that has gone is swept, and nothing is left of it") {
  note({online("alice", 1'000), online("bob", 2'000)});
  clock.pass(1'000);
  settle(outbox());
  CHECK(sweep().gone == 1);
  settle(outbox());
  CHECK(worker.ask({"KEYS", "*alice*"}).texts().empty());
  CHECK(worker.ask({"ZRANGE", shared_keys(0).names, "0", "-1"}).texts() == Texts{"bob"});
  clock.pass(1'000);
  CHECK(sweep().gone == 1);
  settle(outbox());
  CHECK(worker.ask({"KEYS", "*"}).texts() == Texts{shared_keys(0).sweeper});
}

TEST_CASE_FIXTURE(Present, "a sweep without work writes nothing") {
  CHECK(sweep().gone == 0);
  note({online("alice", 1'000)});
  settle(outbox());
  CHECK(sweep().gone == 0);
  CHECK(worker.ask({"EXISTS", shared_keys(0).sweeper}).integer == 0);
}

TEST_CASE_FIXTURE(Present, "a sweep takes some of many clients that have gone at a time") {
  note(crowd(16));
  clock.pass(1'000);
  CHECK(sweep().gone == 7);
  CHECK(sweep().gone == 7);
  CHECK(sweep().gone == 2);
  CHECK(sweep().gone == 0);
}

// --- events ------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Present, "a user's coming and going are one event each, with its time") {
  note({online("alice", 1'000)});
  const auto came = "online " + time() + " alice";
  const auto gone = "offline " + std::to_string(in(1'500)) + " alice";
  clock.pass(500);
  note({online("alice", 1'000), online("alice", 200, "phone")});
  CHECK(outbox() == Texts{came});
  clock.pass(1'700);
  CHECK(sweep().events == Texts{came, gone});
  CHECK(sweep().events == Texts{came, gone});
  settle({came});
  CHECK(sweep().events == Texts{gone});
  settle({gone});
  CHECK(sweep().events.empty());
  CHECK(worker.ask({"EXISTS", shared_keys(0).events}).integer == 0);
}

TEST_CASE_FIXTURE(Present, "a user that comes back before it was swept was never away") {
  note({online("alice", 1'000)});
  clock.pass(1'001);
  note({online("alice", 1'000)});
  CHECK(sweep().gone == 0);
  CHECK(outbox().size() == 1);
  CHECK(user("alice").until_ms == in(1'000));
}

TEST_CASE_FIXTURE(Present, "without a listener there are no events") {
  RedisPresence quiet(worker.redis, clock, worker.log, rules(false), "one");
  REQUIRE(note_by(quiet, {online("alice", 1'000)}));
  clock.pass(1'000);
  CHECK(sweep_by(quiet).gone == 1);
  CHECK(sweep_by(quiet).events.empty());
  CHECK(worker.ask({"EXISTS", shared_keys(0).events}).integer == 0);
}

TEST_CASE_FIXTURE(Present, "one of several sweepers has its turn, until it has been silent") {
  RedisPresence other(worker.redis, clock, worker.log, rules(), "two");
  note({online("alice", 1'000), online("bob", 10'000)});
  CHECK(sweep().events.size() == 2);
  clock.pass(1'000);
  CHECK(sweep_by(other).events.empty());
  CHECK(sweep_by(other).gone == 0);
  CHECK(sweep_by(other).waiting == 2);
  CHECK(life(shared_keys(0).sweeper) > 0);
  CHECK(life(shared_keys(0).sweeper) <= 5'000);
  worker.ask({"DEL", shared_keys(0).sweeper});
  CHECK(sweep_by(other).events.size() == 3);
  CHECK(sweep().events.empty());
}

TEST_CASE_FIXTURE(
    Present, "only events that were delivered are settled, even if another program was quicker") {
  note({online("a", 1'000), online("b", 1'000), online("c", 1'000), online("d", 1'000)});
  const auto all = outbox();
  settle({all[0], all[1]});
  settle({all[0], all[1], all[2]});
  CHECK(outbox() == Texts{all[3]});
  settle({"online 1 z"});
  CHECK(outbox() == Texts{all[3]});
}

TEST_CASE_FIXTURE(Present,
                  "events that are not delivered are kept up to a bound, the newest ones") {
  note(crowd(60));
  CHECK(outbox().size() == 50);
  CHECK(outbox().front().ends_with(" user10"));
  clock.pass(1'000);
  CHECK(sweep().waiting == 50);
  CHECK(outbox().back().starts_with("offline "));
  CHECK(sweep().events.size() == 10);
}

TEST_CASE_FIXTURE(Present, "while Redis is out of memory no change is half done") {
  note({online("alice", 1'000)});
  clock.pass(1'000);
  worker.ask({"CONFIG", "SET", "maxmemory", "1"});
  CHECK_FALSE(note_by(presence, {online("bob", 1'000)}));
  const auto swept =
      worker.await<Or<PresenceStore::Swept>>([&](const auto& then) { presence.sweep(then); });
  worker.ask({"CONFIG", "SET", "maxmemory", "0"});
  CHECK_FALSE(swept);
  CHECK(worker.ask({"KEYS", "*bob*"}).texts().empty());
  CHECK(outbox().size() == 1);
  CHECK(sweep().gone == 1);
  CHECK(outbox().size() == 2);
}

// --- Redis is away -----------------------------------------------------------------------------

TEST_CASE("while Redis is away no client is noted, shown or swept, and its return is told") {
  RedisServer mine;
  const SystemClock clock;
  RedisFigures figures;
  const auto login = mine.login();
  Log log("test", silence(), Log::Level::error);
  RedisWorker worker(login, clock);
  RedisConnection redis(worker.loop, login, log, "presence", {.figures = &figures});
  RedisPresence presence(redis, clock, log, rules(), "one");
  worker.on_loop([&] {
    redis.start();
    return true;
  });
  REQUIRE(eventually([&] { return figures.connections.value() == 1; }));
  const auto absences = [&] { return worker.on_loop([&] { return presence.absences(); }); };
  CHECK(absences() == 0);
  mine.stop();
  REQUIRE(eventually([&] { return figures.connections.value() == 0; }));
  const auto refused = [&]<class T>(const Or<T>& outcome) {
    CHECK(outcome.error().code == Code::store_unavailable);
  };
  const std::vector<PresenceStore::Note> notes{
      {"alice", {"tab", clock.wall_ms(), clock.wall_ms() + 1'000, "-", ""}}};
  refused(worker.await<Or<bool>>([&](const auto& then) { presence.note(notes, then); }));
  refused(
      worker.await<Or<PresencePage>>([&](const auto& then) { presence.page({.limit = 1}, then); }));
  refused(worker.await<Or<PresentUser>>([&](const auto& then) { presence.user("alice", then); }));
  refused(worker.await<Or<PresenceStore::Swept>>([&](const auto& then) { presence.sweep(then); }));
  mine.start();
  CHECK(eventually([&] { return absences() == 1; }));
  worker.halt();
}

}  // namespace
}  // namespace letterbox::test
