// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "model/seconds.h"

namespace letterbox {
namespace {

using namespace std::literals;

TEST_CASE("decimal seconds become milliseconds") {
  CHECK(parse_seconds_ms("0") == 0);
  CHECK(parse_seconds_ms("25") == 25'000);
  CHECK(parse_seconds_ms("0.5") == 500);
  CHECK(parse_seconds_ms("2.") == 2'000);
  CHECK(parse_seconds_ms(".5") == 500);
  CHECK(parse_seconds_ms("007.250") == 7'250);
  CHECK(parse_seconds_ms("999999999.999") == 999'999'999'999);
}

TEST_CASE("a duration just above a limit stays above it") {
  CHECK(parse_seconds_ms("0.000001") == 1);
  CHECK(parse_seconds_ms("50.000001") == 50'001);
  CHECK(parse_seconds_ms("0.001000") == 1);
  CHECK(parse_seconds_ms("0.000000") == 0);
}

TEST_CASE("anything but digits and one point is no duration") {
  for (const auto bad : {"",     ".",    "-1",         "+1",        " 1",  "1 ",    "1e3",  "1E3",
                         "inf",  "nan",  "0x10",       "abc",       "1,5", "1.2.3", "1..2", "..",
                         "1.-5", "1.+5", "1234567890", "1.1234567", "1s",  "１"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_seconds_ms(bad));
  }
  CHECK_FALSE(parse_seconds_ms("1\0"sv));
  CHECK_FALSE(parse_seconds_ms(std::string(200'000, '1')));
}

}  // namespace
}  // namespace letterbox
