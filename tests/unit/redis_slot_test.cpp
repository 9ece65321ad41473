// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "redis/slot.h"

namespace letterbox {
namespace {

TEST_CASE("the checksum is the one of the specification") {
  CHECK(crc16("123456789") == 0x31C3);
  CHECK(crc16("") == 0);
  CHECK(crc16(std::string("\0", 1)) == 0);
  CHECK(crc16("\xFF\xFF") == 0x1D0F);
}

// The numbers are Redis' own, by CLUSTER KEYSLOT.
TEST_CASE("a key without a tag is in the slot that Redis says") {
  CHECK(slot_of("foo") == 12182);
  CHECK(slot_of("bar") == 5061);
  CHECK(slot_of("hello") == 866);
  CHECK(slot_of("123456789") == 12739);
  CHECK(slot_of("") == 0);
}

TEST_CASE("keys with the same tag are in its slot") {
  CHECK(slot_of("{user1000}.following") == slot_of("user1000"));
  CHECK(slot_of("{user1000}.followers") == slot_of("user1000"));
  CHECK(slot_of("user1000") == 3443);
  CHECK(slot_of("before{hello}after") == 866);
}

TEST_CASE("the tag ends at the first closing brace after the first opening one") {
  CHECK(slot_of("{a}{b}") == slot_of("a"));
  CHECK(slot_of("foo{{bar}}zap") == slot_of("{bar"));
  CHECK(slot_of("foo{bar}{zap}") == slot_of("bar"));
  CHECK(slot_of("}{a}") == slot_of("a"));
}

TEST_CASE("braces with nothing between them, or without their pair, are no tag") {
  for (const std::string key : {"foo{}{bar}", "{}", "{", "}", "foo{bar", "foo}bar", "}{"}) {
    CAPTURE(key);
    CHECK(slot_of(key) == crc16(key) % kSlots);
  }
}

}  // namespace
}  // namespace letterbox
