// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"

namespace letterbox {
namespace {

Result<int, std::string> half(int number) {
  if (number % 2 != 0) return "odd: " + std::to_string(number);
  return number / 2;
}

Result<void, std::string> only_even(int number) {
  if (auto result = half(number); !result) return std::move(result).error();
  return {};
}

Result<std::optional<std::string>, int> lookup(bool present) {
  if (present) return std::string("here");
  return std::nullopt;
}

Result<std::unique_ptr<int>, std::string> boxed(int number) {
  if (number == 0) return std::string("nothing to box");
  return std::make_unique<int>(number);
}

TEST_CASE("a result is made by returning either side of it") {
  CHECK(half(8));
  CHECK(*half(8) == 4);
  CHECK_FALSE(half(7));
  CHECK(half(7).error() == "odd: 7");
}

TEST_CASE("a result without a value is done or says why not") {
  CHECK(only_even(2));
  CHECK_FALSE(only_even(3));
  CHECK(only_even(3).error() == "odd: 3");
}

TEST_CASE("an optional value and its absence are both values") {
  CHECK(lookup(true));
  CHECK(**lookup(true) == "here");
  CHECK(lookup(false));
  CHECK_FALSE(lookup(false)->has_value());
}

TEST_CASE("a result hands over a value that can only be moved") {
  auto result = boxed(5);
  REQUIRE(result);
  CHECK(*result->get() == 5);
  const std::unique_ptr<int> taken = *std::move(result);
  CHECK(*taken == 5);
  CHECK(boxed(0).error() == "nothing to box");
}

TEST_CASE("asking for the side that a result does not have throws") {
  CHECK_THROWS_AS(static_cast<void>(half(7).value()), std::bad_variant_access);
  CHECK_THROWS_AS(static_cast<void>(half(8).error()), std::bad_variant_access);
}

}  // namespace
}  // namespace letterbox
