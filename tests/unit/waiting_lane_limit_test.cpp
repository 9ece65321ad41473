// SPDX-License-Identifier: MIT
//
// How many lanes are opened if Redis has fewer connections than are wanted.
#include <doctest/doctest.h>

#include "waiting/lane_limit.h"

namespace letterbox::test {
namespace {

constexpr uint64_t kNow = 1000;

TEST_CASE("as many lanes are opened as the settings allow, and at least one") {
  LaneLimit limit(2);
  CHECK(limit.one_more(0, kNow));
  CHECK(limit.one_more(1, kNow));
  CHECK_FALSE(limit.one_more(2, kNow));
  CHECK(LaneLimit(0).one_more(0, kNow));
}

TEST_CASE(
    "once a lane was refused no more are opened, and an eighth of those that are up is closed") {
  LaneLimit limit(380);
  CHECK(limit.refused());
  CHECK_FALSE(limit.refused());
  CHECK_FALSE(limit.one_more(60, kNow));
  CHECK(limit.settle(50, kNow) == 6);
  CHECK_FALSE(limit.one_more(44, kNow));
  CHECK(limit.one_more(43, kNow));
  SUBCASE("at least one, but never the last") {
    CHECK(limit.settle(3, kNow) == 1);
    CHECK(limit.settle(1, kNow) == 0);
    CHECK(limit.settle(0, kNow) == 0);
  }
}

TEST_CASE("now and then one more lane is tried, and further ones soon after it came up") {
  LaneLimit limit(380);
  CHECK(limit.refused());
  limit.settle(50, kNow);
  const uint64_t later = kNow + LaneLimit::kTryAgainMs;
  CHECK_FALSE(limit.one_more(44, later - 1));
  CHECK(limit.one_more(44, later));
  CHECK_FALSE(limit.one_more(45, later));
  SUBCASE("if it came up") {
    limit.came_up(later);
    CHECK_FALSE(limit.one_more(45, later + LaneLimit::kTryOnMs - 1));
    CHECK(limit.one_more(45, later + LaneLimit::kTryOnMs));
    CHECK_FALSE(limit.one_more(46, later + LaneLimit::kTryOnMs));
  }
  SUBCASE("if it was refused") {
    CHECK(limit.refused());
    limit.came_up(later);  // another one, meanwhile
    CHECK_FALSE(limit.one_more(44, later + LaneLimit::kTryOnMs));
  }
}

}  // namespace
}  // namespace letterbox::test
