// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "model/scheduled_id.h"

namespace letterbox {
namespace {

constexpr uint64_t kAt = 1'795'287'654'123;

TEST_CASE("the id of a scheduled message is its user, its time and a number") {
  CHECK(ScheduledId{"alice", kAt, 0}.text() == "alice.1a1ff7b9eeb00000");
  CHECK(ScheduledId{"a.b", 1, 0xfffff}.text() == "a.b.00000000001fffff");
}

TEST_CASE("an id of a scheduled message is read as it was written") {
  for (const uint64_t at : {uint64_t{0}, uint64_t{1}, kAt, (uint64_t{1} << 44) - 1}) {
    for (const uint32_t number : {0U, 1U, kIdsOfMillisecond - 1}) {
      const ScheduledId id{"bob+1@example.com", at, number};
      CHECK(ScheduledId::parse(id.text()) == id);
    }
  }
  CHECK(ScheduledId::parse("alice.ffffffffffffffff")->number == kIdsOfMillisecond - 1);
}

TEST_CASE("the ids of a user's scheduled messages are in the order of their times, as texts too") {
  std::vector<std::string> ids;
  for (const uint64_t at :
       {uint64_t{9}, uint64_t{10}, uint64_t{255}, uint64_t{256}, kAt, kAt + 1}) {
    for (const uint32_t number : {0U, 9U, 10U, 0xfffffU}) {
      ids.push_back(ScheduledId{"alice", at, number}.text());
    }
  }
  CHECK(std::is_sorted(ids.begin(), ids.end()));
}

TEST_CASE("anything else is no id of a scheduled message") {
  for (const auto bad :
       {"", ".", "alice", "alice.", ".0123456789abcdef", "alice.0123456789abcde",
        "alice.0123456789abcdef0", "alice.0123456789abcdeF", "alice.0123456789abcdeg",
        "alice-0123456789abcdef", "al ice.0123456789abcdef", "0123456789abcdef",
        "alice.0123456789abcdef ", "alice.+123456789abcdef", "alice.0x23456789abcdef"}) {
    CAPTURE(bad);
    CHECK_FALSE(ScheduledId::parse(bad));
  }
  CHECK_FALSE(ScheduledId::parse(std::string(129, 'a') + ".0123456789abcdef"));
}

}  // namespace
}  // namespace letterbox
