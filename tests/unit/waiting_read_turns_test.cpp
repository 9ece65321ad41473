// SPDX-License-Identifier: MIT
//
// Which poll reads next, by the polls' users and clients, and by the bytes that reads have brought.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/fake_waiting.h"
#include "waiting/read_turns.h"

namespace letterbox::test {
namespace {

constexpr size_t kMiB = 1'048'576;

struct Turns : FakeWaiting {
  using PollPtr = ReadTurns::PollPtr;

  PollPtr poll(std::string user, std::string client = "") {
    Question question;
    question.user = std::move(user);
    question.client = std::move(client);
    return make_poll(std::move(question));
  }
  PollPtr line_up(std::string user, std::string client = "") {
    auto one = poll(std::move(user), std::move(client));
    turns.line_up(one);
    return one;
  }
  // The polls whose reads this worker is to begin now.
  std::vector<PollPtr> all_next(const Desk& worker) {
    std::vector<PollPtr> all;
    while (const auto one = turns.next(worker)) all.push_back(one);
    return all;
  }
  // The worker's reads before these brought little.
  void get_used_to_little(const Desk& worker) {
    for (int i = 0; i < 100; ++i) {
      const auto one = line_up("busy");
      REQUIRE(turns.next(worker) == one);
      turns.returned(worker, *one, 100);
    }
  }
  void line_up_many(size_t users) {
    for (size_t i = 0; i < users; ++i) line_up("user" + std::to_string(i));
  }

  Desk other{loop, store};
  ReadTurns turns;
};

TEST_CASE_FIXTURE(Turns,
                  "a worker has at most sixteen reads under way, the other polls wait their turn") {
  get_used_to_little(desk);
  line_up_many(20);
  const auto first = all_next(desk);
  CHECK(first.size() == 16);
  CHECK(turns.under_way() == 16);
  CHECK(turns.waiting() == 4);
  turns.returned(desk, *first[7], 100);
  CHECK(all_next(desk).size() == 1);
  for (size_t i = 0; i < 16; ++i) {
    if (i != 7) turns.returned(desk, *first[i], 100);
  }
  CHECK(all_next(desk).size() == 3);
  CHECK(turns.waiting() == 0);
}

TEST_CASE_FIXTURE(Turns, "a worker whose reads bring a mebibyte has at most four under way") {
  SUBCASE("it has just begun, and knows nothing of its reads") {}
  SUBCASE("its reads brought little, until two dozen brought much") {
    get_used_to_little(desk);
    for (int i = 0; i < 24; ++i) {
      const auto one = line_up("full" + std::to_string(i));
      REQUIRE(turns.next(desk) == one);
      turns.returned(desk, *one, kMiB);
    }
  }
  line_up_many(20);
  CHECK(all_next(desk).size() == 4);
}

TEST_CASE_FIXTURE(
    Turns, "a worker may always have one read under way, however much its last ones brought") {
  for (int i = 0; i < 100; ++i) {
    const auto one = line_up("huge");
    REQUIRE(turns.next(desk) == one);
    turns.returned(desk, *one, 100 * kMiB);
  }
  line_up_many(2);
  CHECK(all_next(desk).size() == 1);
}

TEST_CASE_FIXTURE(Turns, "each worker has reads of its own under way") {
  get_used_to_little(other);
  line_up_many(30);
  CHECK(all_next(desk).size() == 4);
  CHECK(all_next(other).size() == 16);
}

TEST_CASE_FIXTURE(
    Turns, "at most two reads of a user and one of a client are under way, over all workers") {
  const auto tab = line_up("alice", "tab");
  const auto tab_again = line_up("alice", "tab");
  const auto phone = line_up("alice", "phone");
  const auto script = line_up("alice", "script");
  const auto bob = line_up("bob", "tab");
  CHECK(turns.next(desk) == tab);
  CHECK(turns.next(other) == bob);
  CHECK(turns.next(other) == phone);
  CHECK(turns.next(other) == nullptr);
  CHECK(turns.next(desk) == nullptr);
  turns.returned(other, *phone, 0);
  CHECK_MESSAGE(turns.next(other) == script, "the tab's read is still under way");
  turns.returned(desk, *tab, 0);
  CHECK(turns.next(desk) == tab_again);
  CHECK(turns.waiting() == 0);
}

TEST_CASE_FIXTURE(Turns, "a user with a hundred polls holds up another user's by one read") {
  for (int i = 0; i < 100; ++i) line_up("alice", std::to_string(i));
  const auto bob = line_up("bob");
  REQUIRE(turns.next(desk) != bob);
  CHECK(turns.next(desk) == bob);
}

TEST_CASE_FIXTURE(Turns, "users take turns, each user's polls come in their order") {
  const auto a1 = line_up("a", "1");
  const auto a2 = line_up("a", "2");
  const auto a3 = line_up("a", "3");
  const auto b1 = line_up("b", "1");
  const auto b2 = line_up("b", "2");
  for (const auto& each : {a1, b1, a2, b2, a3}) {
    CHECK(turns.next(desk) == each);
    turns.returned(desk, *each, 0);
  }
}

TEST_CASE_FIXTURE(Turns, "a poll that steps out does not read, and those behind it do") {
  const auto first = line_up("alice", "a");
  const auto second = line_up("alice", "b");
  turns.step_out(*first);
  CHECK(turns.waiting() == 1);
  CHECK(all_next(desk) == std::vector{second});
  const auto third = line_up("alice", "c");
  turns.step_out(*third);
  turns.returned(desk, *second, 0);
  CHECK(turns.next(desk) == nullptr);
  CHECK(turns.waiting() + turns.under_way() == 0);
}

}  // namespace
}  // namespace letterbox::test
