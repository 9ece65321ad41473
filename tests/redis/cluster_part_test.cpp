// SPDX-License-Identifier: MIT
#include "redis/cluster_part.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/redis/cluster_house.h"

namespace letterbox::test {
namespace {

using Words = std::vector<std::string>;

// All parts are up.
struct Served : ClusterHouse {
  Served() { start_and_come_up(); }

  // `c` has the slot of part 0 now, by all views.
  void fail_over(uint64_t epoch = 5) { see(at(c, epoch)); }
  // From the loop: the connection to the part's node.
  RedisConnection& node_at(size_t number) {
    return const_cast<RedisConnection&>(*part(number).node());
  }
  // Stops the time, when no look is under way at `a`.
  void stop_looking() {
    clock.stop();
    CHECK(said(0, "0") == "a:0");
  }
};

Words numbered(int from, int to) {
  Words words;
  for (int i = from; i <= to; ++i) words.push_back(std::to_string(i));
  return words;
}

// --- commands ------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Served, "each part's commands go to the node that has its slot") {
  CHECK(said(0, "one") == "a:one");
  CHECK(said(1, "two") == "b:two");
  CHECK(logins(0) == 1);
  CHECK(logins(1) == 1);
  CHECK(c.heard().empty());
}

TEST_CASE_FIXTURE(ClusterHouse, "commands wait until the part's node was found and greeted") {
  a.redis().be_silent();
  start();
  const auto all = ask_each(0, numbered(1, 20));
  CHECK_FALSE(is_up(0));
  a.redis().be_silent(false);
  for (size_t i = 0; i < all.size(); ++i) CHECK(all[i]->said() == "a:" + std::to_string(i + 1));
  CHECK(a.heard() == numbered(1, 20));
  CHECK(a.greetings() == 1);
}

TEST_CASE_FIXTURE(Served,
                  "a command that its node refuses for now is sent again, in the same login") {
  for (const std::string& why :
       {"MOVED 0 " + a.address().text(), std::string("ASK 0 127.0.0.1:1"),
        std::string("TRYAGAIN x"), std::string("CLUSTERDOWN x"), std::string("READONLY x"),
        std::string("MASTERDOWN x"), std::string("LOADING x")}) {
    CAPTURE(why);
    const size_t before = a.heard().size();
    const int greetings = a.greetings();
    a.refuse_next({why});
    CHECK(said(0, "one") == "a:one");
    CHECK(a.heard().size() == before + 2);
    CHECK(a.greetings() == greetings + 1);
  }
  CHECK(logins(0) == 1);
  CHECK(said(1, "two") == "b:two");
  CHECK(logins(1) == 1);
}

TEST_CASE_FIXTURE(Served, "any other error is the command's answer") {
  a.refuse_next({"ERR wrong", "OOM full", "MOVED 1 127.0.0.1:1", "ASK 1 127.0.0.1:1"});
  const int greetings = a.greetings();
  CHECK(said(0, "one") == "ERR wrong");
  CHECK(said(0, "two") == "OOM full");
  // Of a key that is not of this part: another node has it, and the part stays where it is.
  CHECK(said(0, "three") == "MOVED 1 127.0.0.1:1");
  CHECK(said(0, "four") == "ASK 1 127.0.0.1:1");
  CHECK(said(0, "five") == "a:five");
  CHECK(a.greetings() == greetings);
}

TEST_CASE_FIXTURE(Served, "refused commands go out again in their order, before later ones") {
  a.refuse("TRYAGAIN x");
  const auto first = ask_each(0, numbered(1, 20));
  REQUIRE(eventually([&] { return a.heard().size() == 20; }));
  REQUIRE(goes_down(0));
  const auto later = ask_each(0, numbered(21, 30));
  a.refuse("");
  for (const auto& outcome : later) CHECK(outcome->said().starts_with("a:"));
  for (const auto& outcome : first) CHECK(outcome->count() == 1);
  const auto heard = a.heard();
  CHECK(Words(heard.end() - 30, heard.end()) == numbered(1, 30));
}

TEST_CASE_FIXTURE(Served,
                  "a command that is refused late goes out before those that came after it") {
  stop_looking();
  a.redis().be_silent();
  a.refuse_next({"TRYAGAIN x", "TRYAGAIN x"});
  const auto early = ask_each(0, {"1", "2"});
  REQUIRE(eventually([&] { return a.heard().size() == 3; }));
  a.redis().let_out(1);
  REQUIRE(goes_down(0));
  const auto later = ask(0, "3");
  a.redis().be_silent(false);
  pass(100);
  CHECK(later->said() == "a:3");
  const auto heard = a.heard();
  CHECK(Words(heard.end() - 3, heard.end()) == Words{"1", "2", "3"});
  for (const auto& outcome : early) CHECK(outcome->count() == 1);
}

TEST_CASE_FIXTURE(Served, "a command that waits is away when its patience ends") {
  a.refuse("CLUSTERDOWN x");
  const auto first = ask(0, "one");
  REQUIRE(goes_down(0));
  clock.stop();
  const auto second = ask(0, "two");
  pass(kPatienceMs / 2);
  CHECK(second->count() == 0);
  const auto third = ask(0, "three");
  pass(kPatienceMs / 2 + 1000);
  CHECK(first->said() == "away");
  CHECK(second->said() == "away");
  CHECK(third->count() == 0);
  CHECK(trouble(0) == "CLUSTERDOWN x");
  CHECK(said(1, "four") == "b:four");
  a.refuse("");
  REQUIRE(eventually([&] {
    pass(10);
    return third->count() == 1;
  }));
  CHECK(third->said() == "a:three");
}

// --- scripts -------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(Served, "a script that the node does not know is sent again with its source") {
  a.forget_scripts();
  CHECK(run(0, "one")->said() == "a:one");
  CHECK(run(0, "two")->said() == "a:two");
  CHECK(a.heard() == Words{"one", "source of one", "two"});
}

TEST_CASE_FIXTURE(Served,
                  "a script that the node does not know waits if the node was refused meanwhile") {
  a.forget_scripts();
  a.refuse_next({"TRYAGAIN x"});
  const auto [first, second] = on_loop([&] {
    auto refused = begin(part(0), "one");
    auto unknown = expect();
    part(0).eval(script, std::vector<std::string_view>{"{0}"}, std::vector<std::string_view>{"two"},
                 [unknown](const Reply& reply) { unknown->set(reply); });
    return std::pair(refused, unknown);
  });
  CHECK(first->said() == "a:one");
  CHECK(second->said() == "a:two");
}

// --- where the slot is ---------------------------------------------------------------------------

TEST_CASE_FIXTURE(Served, "the node that MOVED names is asked at once") {
  see_nothing();
  REQUIRE(looked(a));
  std::string hint = moved(c);
  SUBCASE("with its host") {}
  SUBCASE("without a host, if that is the same") { hint.erase(hint.find("127"), 9); }
  clock.stop();
  a.refuse(hint);
  CHECK(said(0, "one") == "c:one");
  CHECK(a.heard().size() == 1);
  CHECK(c.greetings() == 1);
  CHECK(logins(0) == 2);
  CHECK(logins(1) == 1);
}

TEST_CASE_FIXTURE(
    Served, "the node that MOVED names is asked at once, also if a greeting was put off before") {
  see_nothing();
  REQUIRE(looked(a));
  clock.stop();
  a.refuse_next({"CLUSTERDOWN x"});
  const auto first = ask(0, "one");
  REQUIRE(goes_down(0));
  on_loop([&] { part(0).found_at(node_at(0), 5, clock.steady_ms() + 1); });
  CHECK(first->said() == "a:one");
  a.refuse(moved(c));
  CHECK(said(0, "two") == "c:two");
}

TEST_CASE_FIXTURE(Served, "commands wait for the first connection to a node that MOVED names") {
  FakeNode fresh("fresh");
  see_nothing();
  REQUIRE(looked(a));
  a.refuse(moved(fresh));
  const auto all = ask_each(0, numbered(1, 5));
  for (const auto& outcome : all) CHECK(outcome->said().starts_with("fresh:"));
  CHECK(fresh.heard() == numbered(1, 5));
}

TEST_CASE_FIXTURE(
    Served,
    "commands that wait for a node that can't be reached are away at once when that is known") {
  FakeNode dead("dead");
  dead.redis().cut_off();
  see_nothing();
  REQUIRE(looked(a));
  clock.stop();  // so that no patience ends
  a.refuse(moved(dead));
  CHECK(said(0, "one") == "away");
  CHECK(trouble(0).starts_with(dead.address().text() + ": "));
}

TEST_CASE_FIXTURE(Served, "views that were asked for before a MOVED do not lead back") {
  clock.stop();  // so that no look follows
  a.refuse(moved(c));
  CHECK(said(0, "one") == "c:one");
  on_loop([&] {
    const uint64_t now = loop.now_ms();
    CHECK_FALSE(part(0).found_at(node_at(1), 9, now));
    CHECK_FALSE(part(0).found_nowhere(now));
  });
  CHECK(said(0, "two") == "c:two");
}

TEST_CASE_FIXTURE(Served, "two nodes that send each other's MOVED are not asked without end") {
  clock.stop();
  a.refuse(moved(c));
  c.refuse(moved(a));
  const auto lost = ask(0, "one");
  REQUIRE(eventually([&] { return c.greetings() == 1; }));
  // Many turns later:
  for (int i = 0; i < 50; ++i) CHECK(said(1, "two") == "b:two");
  const auto greetings = [&] { return a.greetings() + c.greetings(); };
  const int before = greetings();
  CHECK(before <= 6);
  // In a second, in which there are some 10 looks, each of which says that it is at `a`:
  for (int i = 0; i < 100; ++i) {
    pass(10);
    CHECK(said(1, "two") == "b:two");
  }
  const int after = greetings();
  CHECK(after > before);
  CHECK(after <= before + 60);
  a.refuse("");
  REQUIRE(eventually([&] {
    pass(10);
    return lost->count() == 1;
  }));
  CHECK(lost->said() == "a:one");
}

TEST_CASE_FIXTURE(Served, "a replica that was promoted is found, and commands meanwhile are away") {
  a.redis().cut_off();
  REQUIRE(goes_down(0));
  CHECK(said(0, "one") == "away");
  fail_over();
  REQUIRE(comes_to(0, c));
  CHECK(said(0, "two") == "c:two");
  CHECK(logins(0) == 2);
  CHECK(logins(1) == 1);
}

TEST_CASE_FIXTURE(
    Served, "a view with an older epoch changes nothing, unless it is all there is for long") {
  fail_over(5);
  REQUIRE(comes_to(0, c));
  // Only `a` has a view, of the time before.
  see_nothing();
  a.see(view(usual()));
  REQUIRE(looked(a));
  CHECK(is_at(0, c));
  CHECK(said(0, "one") == "c:one");
  c.redis().cut_off();
  REQUIRE(goes_down(0));
  REQUIRE(looked(a, 5));
  CHECK_FALSE(is_up(0));
  clock.pass(5001);
  REQUIRE(comes_to(0, a));
  CHECK(said(0, "two") == "a:two");
}

TEST_CASE_FIXTURE(Served,
                  "a node that serves the slot is believed rather than views without the slot") {
  see(view({{a, 1, "1-8191"}, {b, 2, "8192-16383"}, {c, 1, ""}}));
  REQUIRE(looked(a));
  CHECK(said(0, "one") == "a:one");
  a.refuse("CLUSTERDOWN Hash slot not served");
  CHECK(said(0, "two") == "away");
  CHECK(trouble(0) == "no node of the cluster has its slot");
  CHECK(said(0, "three") == "away");
  CHECK(said(1, "four") == "b:four");
  a.refuse("");
  see(usual());
  REQUIRE(comes_up(0));
  CHECK(said(0, "five") == "a:five");
}

TEST_CASE_FIXTURE(Served, "a node that is known by two addresses is not left for itself") {
  // Of the same epoch, in all views.
  see(view({{c, 1, "0-8191"}, {a, 1, "0-8191"}, {b, 2, "8192-16383"}}));
  REQUIRE(looked(a, 3));
  CHECK(is_at(0, a));
  CHECK(logins(0) == 1);
}

// --- greetings and logins ------------------------------------------------------------------------

TEST_CASE_FIXTURE(
    Served, "a node with a new epoch is greeted again, which is the same login in the same reign") {
  const int before = a.greetings();
  see(at(a, 5));
  REQUIRE(eventually([&] { return a.greetings() == before + 1; }));
  REQUIRE(comes_up(0));
  CHECK(logins(0) == 1);
  REQUIRE(looked(a));
  CHECK(a.greetings() == before + 1);
  a.reign(2);
  see(at(a, 6));
  REQUIRE(eventually([&] { return logins(0) == 2; }));
  CHECK(a.greetings() == before + 2);
  CHECK(logins(1) == 1);
}

TEST_CASE_FIXTURE(Served, "a node that refuses the greeting is greeted until it takes it") {
  a.refuse("ERR no greeting");
  see(at(a, 5));
  REQUIRE(goes_down(0));
  const int before = a.greetings();
  REQUIRE(eventually([&] { return a.greetings() >= before + 3; }));
  CHECK(trouble(0) == "ERR no greeting");
  const auto waits = ask(0, "one");
  a.refuse("");
  CHECK(waits->said() == "a:one");
  CHECK(logins(0) == 1);
}

TEST_CASE_FIXTURE(Served,
                  "what the node before says to its greeting does not count for the next one") {
  FakeNode next("next");
  next.redis().cut_off();
  see_nothing();
  REQUIRE(looked(a));
  stop_looking();
  const int before = a.greetings();
  a.redis().be_silent();
  a.refuse_next({"TRYAGAIN x", moved(next)});
  const auto all = ask_each(0, {"1", "2"});
  REQUIRE(eventually([&] { return a.heard().size() == 3; }));
  a.redis().let_out(1);
  REQUIRE(goes_down(0));
  pass(100);
  REQUIRE(eventually([&] { return a.greetings() == before + 1; }));
  a.redis().be_silent(false);
  REQUIRE(eventually([&] { return node_of(0) == next.address(); }));
  // The greeting's answer has come: this one is behind it.
  REQUIRE(looked(a));
  CHECK_FALSE(is_up(0));
  for (const auto& outcome : all) CHECK(outcome->said() == "away");
  next.redis().cut_off(false);
  REQUIRE(eventually([&] {
    pass(50);
    return is_at(0, next);
  }));
  CHECK(said(0, "3") == "next:3");
}

// --- outages -------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(
    Served, "a node that is lost has its commands answered away at once, and the others go on") {
  a.redis().be_silent();
  const auto all = ask_each(0, numbered(1, 5));
  REQUIRE(eventually([&] { return a.heard().size() == 5; }));
  CHECK(all[0]->count() == 0);
  a.redis().cut_off();
  for (const auto& outcome : all) CHECK(outcome->said() == "away");
  REQUIRE(goes_down(0));
  clock.stop();
  CHECK(said(0, "six") == "away");
  CHECK(said(1, "seven") == "b:seven");
  clock.pass(1000);
  a.redis().be_silent(false);
  a.redis().cut_off(false);
  REQUIRE(eventually([&] {
    pass(50);
    return is_up(0);
  }));
  CHECK(said(0, "eight") == "a:eight");
  CHECK(logins(0) == 2);
  CHECK(logins(1) == 1);
}

TEST_CASE_FIXTURE(Served, "commands that wait for a node are away once it is lost") {
  a.refuse("TRYAGAIN x");
  const auto all = ask_each(0, numbered(1, 5));
  REQUIRE(eventually([&] { return a.heard().size() == 5; }));
  REQUIRE(goes_down(0));
  a.redis().cut_off();
  for (const auto& outcome : all) CHECK(outcome->said() == "away");
}

TEST_CASE_FIXTURE(Served, "a reply of a node that the part has left is away") {
  a.redis().be_silent();
  const auto late = ask(0, "one");
  REQUIRE(eventually([&] { return a.heard().size() == 1; }));
  fail_over();
  REQUIRE(comes_to(0, c));
  CHECK(late->count() == 0);
  a.redis().be_silent(false);
  CHECK(late->said() == "away");
  CHECK(said(0, "two") == "c:two");
}

TEST_CASE_FIXTURE(Served,
                  "what a node that the part has left did not carry out goes to the next one") {
  a.redis().be_silent();
  std::function<OutcomePtr()> begin_one = [&] { return ask(0, "one"); };
  SUBCASE("since it has not got the slot") { a.refuse(moved(b)); }
  SUBCASE("since it does not know the script") {
    a.forget_scripts();
    begin_one = [&] { return run(0, "one"); };
  }
  const auto late = begin_one();
  REQUIRE(eventually([&] { return a.heard().size() == 1; }));
  fail_over();
  REQUIRE(comes_to(0, c));
  const int greetings = c.greetings();
  a.redis().be_silent(false);
  CHECK(late->said() == "c:one");
  CHECK(is_at(0, c));
  CHECK(c.greetings() == greetings);
  CHECK(b.heard().empty());
}

TEST_CASE_FIXTURE(Served, "a part may be destroyed with commands under way and waiting") {
  b.redis().be_silent();
  const auto under_way = ask_each(1, numbered(1, 5));
  REQUIRE(eventually([&] { return b.heard().size() == 5; }));
  a.refuse("TRYAGAIN x");
  const auto waiting = ask_each(0, numbered(1, 5));
  REQUIRE(eventually([&] { return a.heard().size() == 5; }));
  end();
  for (const auto& outcome : under_way) CHECK(outcome->count() == 0);
  for (const auto& outcome : waiting) CHECK(outcome->count() == 0);
}

// --- followers -----------------------------------------------------------------------------------

struct Followed : Served {
  Followed() {
    on_loop([&] {
      auto& follower = *followers.emplace_back(std::make_unique<RedisConnection>(
          part(0), "follower",
          RedisConnection::Events{.up = [this] { ++ups; }, .down = [this] { ++downs; }}));
      follower.start();
    });
    REQUIRE(eventually([&] { return ups == 1; }));
  }
  OutcomePtr ask_follower(std::string_view word) {
    return on_loop([&] { return begin(*followers.front(), word); });
  }

  std::atomic<int> ups{0};
  std::atomic<int> downs{0};
};

TEST_CASE_FIXTURE(
    Followed, "a follower has a connection of its own to the part's node, and goes with the part") {
  CHECK(a.redis().peers() == 2);
  CHECK(ask_follower("one")->said() == "a:one");
  a.redis().be_silent();
  const auto pending = ask_follower("two");
  REQUIRE(eventually([&] { return a.heard().size() == 2; }));
  c.refuse("TRYAGAIN x");  // before it is up there
  fail_over();
  CHECK(pending->said() == "away");
  c.refuse("");
  REQUIRE(eventually([&] { return ups == 2; }));
  CHECK(downs == 1);
  a.redis().be_silent(false);
  CHECK(ask_follower("three")->said() == "c:three");
  CHECK(eventually([&] { return a.redis().peers() == 1; }));
}

TEST_CASE_FIXTURE(Followed, "a follower is lost and comes back with the part's node") {
  a.redis().cut_off();
  REQUIRE(eventually([&] { return downs == 1; }));
  a.redis().cut_off(false);
  REQUIRE(eventually([&] { return ups == 2; }));
  CHECK(ask_follower("one")->said() == "a:one");
}

TEST_CASE_FIXTURE(Followed, "a part that is greeted again keeps its followers") {
  a.refuse_next({"TRYAGAIN x"});
  CHECK(said(0, "one") == "a:one");
  CHECK(ask_follower("two")->said() == "a:two");
  CHECK(downs == 0);
}

TEST_CASE_FIXTURE(Followed, "what a follower is told leads its part to the slot") {
  see_nothing();
  REQUIRE(looked(a));
  std::string why;
  SUBCASE("MOVED") { why = moved(c); }
  SUBCASE("UNBLOCKED") { why = "UNBLOCKED force unblock from blocking operation"; }
  a.refuse_next({why});
  const auto asked = ask_follower("one");
  CHECK(asked->said() == why);
  a.refuse(moved(c));
  REQUIRE(comes_to(0, c));
  REQUIRE(eventually([&] { return ups == 2; }));
  CHECK(ask_follower("two")->said() == "c:two");
  CHECK(downs == 1);
}

TEST_CASE_FIXTURE(Served, "a follower that comes while its part is away waits for it") {
  a.redis().cut_off();
  REQUIRE(goes_down(0));
  std::atomic<int> ups{0};
  on_loop([&] {
    followers
        .emplace_back(std::make_unique<RedisConnection>(
            part(0), "follower", RedisConnection::Events{.up = [&ups] { ++ups; }}))
        ->start();
  });
  fail_over();
  REQUIRE(eventually([&] { return ups == 1; }));
  CHECK(on_loop([&] { return begin(*followers.front(), "one"); })->said() == "c:one");
  // It may go before its part does.
  on_loop([&] { followers.clear(); });
  CHECK(said(0, "two") == "c:two");
}

}  // namespace
}  // namespace letterbox::test
