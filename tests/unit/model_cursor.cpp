// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "model/cursor.h"

namespace letterbox {
namespace {

using namespace std::literals;

TEST_CASE("a cursor is written as EPOCH-SEQ, and the one before all messages as 0") {
  CHECK(Cursor{1795287654123, 7}.text() == "1795287654123-7");
  CHECK(Cursor{5, 0}.text() == "5-0");
  CHECK(Cursor{}.text() == "0");
  CHECK(Cursor{UINT64_MAX, UINT64_MAX}.text() == "18446744073709551615-18446744073709551615");
  std::string out = "id=";
  Cursor{1, 2}.append_to(out);
  CHECK(out == "id=1-2");
}

TEST_CASE("a cursor that was written is read back") {
  for (const Cursor cursor :
       {Cursor{}, Cursor{1, 0}, Cursor{0, 5}, Cursor{999999999999999, 999999999999999}}) {
    CHECK(Cursor::parse(cursor.text()) == cursor);
  }
  CHECK(Cursor::parse("0-0") == Cursor{});
}

TEST_CASE("cursors are ordered by epoch, then by number") {
  CHECK(Cursor{} < Cursor{1, 0});
  CHECK(Cursor{1, 9} < Cursor{1, 10});
  CHECK(Cursor{1, 10} < Cursor{2, 1});
}

TEST_CASE("anything else is no cursor") {
  for (const auto bad : {"",
                         "-",
                         "1",
                         "00",
                         "1-",
                         "-1",
                         "1-2-3",
                         "1--2",
                         " 1-2",
                         "1-2 ",
                         "1 -2",
                         "+1-2",
                         "01-2",
                         "1-02",
                         "0x1-2",
                         "1.5-2",
                         "a-b",
                         "1795287654123_7",
                         "1234567890123456-1",
                         "1-1234567890123456",
                         "99999999999999999999999-1",
                         "null",
                         "1-2\n",
                         "１-２"}) {
    CAPTURE(bad);
    CHECK_FALSE(Cursor::parse(bad));
  }
  CHECK_FALSE(Cursor::parse("1-2\0"sv));
  CHECK_FALSE(Cursor::parse(std::string(100'000, '1') + "-1"));
}

}  // namespace
}  // namespace letterbox
