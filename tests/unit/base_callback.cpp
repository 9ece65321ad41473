// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/callback.h"

namespace letterbox {
namespace {

TEST_CASE(
    "a callback calls what it was made of, and may be made of a function that can only be moved") {
  auto number = std::make_unique<int>(40);
  Callback<int(int)> add([number = std::move(number)](int more) { return *number + more; });
  REQUIRE(add);
  CHECK(add(2) == 42);
  Callback<int(int)> moved(std::move(add));
  CHECK_FALSE(add);
  CHECK(moved(3) == 43);
}

TEST_CASE("a callback destroys its function once, small or large") {
  const auto held = std::make_shared<int>(0);
  const std::array<char, 500> large{};
  for (const bool is_large : {false, true}) {
    CAPTURE(is_large);
    {
      Callback<void()> first;
      CHECK_FALSE(first);
      if (is_large) {
        first = [held, large] { *held += large[0] + 1; };
      } else {
        first = [held] { ++*held; };
      }
      CHECK(held.use_count() == 2);
      Callback<void()> second([held] {});
      CHECK(held.use_count() == 3);
      second = std::move(first);
      CHECK(held.use_count() == 2);
      second();
    }
    CHECK(held.use_count() == 1);
  }
  CHECK(*held == 2);
}

TEST_CASE("a callback may be made of a function that is copied, and keeps what it changes") {
  const std::function<int()> copied = [] { return 1; };
  Callback<int()> one(copied);
  CHECK(one() + copied() == 2);
  Callback<int()> counts([n = 0]() mutable { return ++n; });
  CHECK(counts() == 1);
  CHECK(counts() == 2);
}

TEST_CASE("a callback that is const can be called, and moved on to another of its kind") {
  int calls = 0;
  const Callback<void()> constant([&calls] { ++calls; });
  constant();
  Callback<void()> inner([&calls] { calls += 10; });
  const Callback<void()> outer([held = std::move(inner)] { held(); });
  outer();
  CHECK(calls == 11);
}

TEST_CASE("arguments pass through a callback without being copied") {
  Callback<std::string(std::string, const std::string&)> join(
      [](std::string a, const std::string& b) { return std::move(a) + b; });
  std::string text(100, 'a');
  const auto place = reinterpret_cast<uintptr_t>(text.data());
  const std::string joined = join(std::move(text), "");
  CHECK(reinterpret_cast<uintptr_t>(joined.data()) == place);
}

}  // namespace
}  // namespace letterbox
