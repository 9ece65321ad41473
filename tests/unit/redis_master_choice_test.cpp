// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "redis/master_choice.h"

namespace letterbox {
namespace {

using Words = std::vector<MasterChoice::Word>;

MasterChoice::Word says(const std::string& host, uint64_t epoch) {
  RedisAddress master;
  master.host = host;
  return {master, epoch};
}

// Three sentinels, and the time of the rounds.
struct Choice {
  std::string after(const Words& words) { return choice.choose(words, now_ms).host; }
  // The same words for that long, in rounds of half a second.
  std::string after(const Words& words, uint64_t ms) {
    for (const uint64_t end = now_ms + ms; now_ms < end; now_ms += 500) after(words);
    return after(words);
  }

  uint64_t now_ms = 1'000'000;
  MasterChoice choice{3};
};

TEST_CASE_FIXTURE(Choice, "in the first round the latest failover counts") {
  CHECK(after({says("old", 4), says("new", 5), says("old", 4)}) == "new");
}

TEST_CASE_FIXTURE(Choice, "a failover that only one sentinel knows yet is believed at once") {
  CHECK(after({says("old", 4), says("old", 4), says("old", 4)}) == "old");
  CHECK(after({says("old", 4), says("new", 5), says("old", 4)}) == "new");
}

TEST_CASE_FIXTURE(
    Choice,
    "a sentinel that was cut off never leads back to the old master, however long it is alone") {
  REQUIRE(after({says("new", 5), says("new", 5), says("old", 4)}) == "new");
  CHECK(after({says("old", 4)}, 3'600'000) == "new");
  CHECK(after({says("old", 0)}, 3'600'000) == "new");
}

TEST_CASE_FIXTURE(Choice,
                  "a minority that names another master at the same epoch is not believed") {
  REQUIRE(after({says("one", 0), says("one", 0), says("one", 0)}) == "one");
  CHECK(after({says("other", 0)}, 3'600'000) == "one");
  CHECK(after({says("one", 0), says("other", 0), says("other", 0)}, 3'600'000) == "one");
}

TEST_CASE_FIXTURE(Choice,
                  "a majority whose epochs have started over is believed, after some doubt") {
  REQUIRE(after({says("one", 7), says("one", 7), says("one", 7)}) == "one");
  const Words again{says("other", 0), says("other", 1)};  // two of the three that are configured
  CHECK(after(again, MasterChoice::kDoubtMs - 500) == "one");
  CHECK(after(again, 500) == "other");
  // And its epochs count from there on.
  CHECK(after({says("other", 1)}, 3'600'000) == "other");
  CHECK(after({says("third", 2)}) == "third");
}

TEST_CASE_FIXTURE(Choice, "the doubt starts over when the master is confirmed in between") {
  REQUIRE(after({says("new", 5), says("old", 4), says("old", 4)}) == "new");
  for (int i = 0; i < 10; ++i) {
    CHECK(after({says("old", 4), says("old", 4)}, MasterChoice::kDoubtMs - 500) == "new");
    CHECK(after({says("new", 5), says("old", 4), says("old", 4)}) == "new");
  }
  for (int i = 0; i < 10; ++i) {  // so it does when the majority comes and goes
    CHECK(after({says("old", 4), says("old", 4)}, MasterChoice::kDoubtMs - 500) == "new");
    CHECK(after({says("old", 4)}) == "new");
  }
}

TEST_CASE("two of four sentinels are no majority, a single sentinel is one") {
  MasterChoice four(4);
  MasterChoice one(1);
  for (auto* choice : {&four, &one}) choice->choose({says("new", 5)}, 0);
  const Words words{says("old", 4), says("old", 4)};
  four.choose(words, 1000);
  CHECK(four.choose(words, 100'000).host == "new");
  one.choose({says("old", 4)}, 1000);
  CHECK(one.choose({says("old", 4)}, 100'000).host == "old");
}

}  // namespace
}  // namespace letterbox
